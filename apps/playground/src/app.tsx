import { useEffect, useState } from 'preact/hooks';
import type { MechanismName } from './choices.js';
import { Laboratory } from './engine/client.js';
import { ComparePanel } from './panels/compare.js';
import { MemoryPanel } from './panels/memory.js';
import { TalkPanel } from './panels/talk.js';
import { TrainPanel } from './panels/train.js';
import { readCards, type ShippedCard } from './shipped.js';
import { Tabs } from './tabs.js';

/** One worker for everything but the comparison: what was trained can be talked to and looked into. */
const laboratory = new Laboratory();

/** Four things to do with a memory, one at a time. */
export function App() {
  const [cards, setCards] = useState<readonly ShippedCard[]>([]);
  const [problem, setProblem] = useState('');
  const [trained, setTrained] = useState<MechanismName | undefined>(undefined);
  useEffect(() => {
    readCards().then(setCards, () =>
      setProblem('The list of shipped models cannot be read from beside this page.'),
    );
  }, []);
  return (
    <>
      <header>
        <h1>Palimpsest</h1>
        <p>
          Memories of fixed size: however long the text, they take the same bytes. Everything on this page is
          computed in it; nothing you type leaves it.
        </p>
      </header>
      <main>
        {problem !== '' && <p role="alert">{problem}</p>}
        <Tabs
          tabs={[
            {
              name: 'Train',
              panel: <TrainPanel laboratory={laboratory} onTrained={setTrained} />,
            },
            {
              name: 'Talk',
              panel: <TalkPanel laboratory={laboratory} cards={cards} trained={trained} />,
            },
            {
              name: 'Look inside',
              panel: <MemoryPanel laboratory={laboratory} cards={cards} trained={trained} />,
            },
            { name: 'Compare', panel: <ComparePanel /> },
          ]}
        />
      </main>
    </>
  );
}
