/** What the published trainer learns from, in the same proportions: music, space, and plain remarks on both. */
export const trainingSentences: readonly string[] = [
  'The cellist repeats a slow passage until the bow no longer catches.',
  'Before the concert the quartet warms up with scales in the cold foyer.',
  'A metronome keeps the choir together while it learns the new hymn.',
  'The probe fired its thruster and slid into orbit around the icy moon.',
  'Astronomers watched a distant star dim as a planet crossed its face.',
  'Two astronauts replaced a cooling pump outside of the station.',
  'A good teacher hears what the student meant to play.',
  'Old scores often hide notes that nobody has sung for centuries.',
  'Careful practice in the morning leaves the evening free.',
  'Looking at the night sky makes every schedule seem less urgent.',
  'Small rockets carry instruments that fit into one hand.',
  'Every mission begins with a list of what could go wrong.',
];

/** Texts of step `step`: a window over the sentences that moves by its own length and begins again at their end. */
export function stepTexts(step: number, batch: number): string[] {
  return Array.from(
    { length: batch },
    (_, i) => trainingSentences[(step * batch + i) % trainingSentences.length]!,
  );
}
