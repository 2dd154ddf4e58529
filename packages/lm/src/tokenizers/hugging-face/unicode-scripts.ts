import { classOf } from './character-classes.js';
import { unknownScripts } from './unicode-gaps.js';

/** Scripts that the library's table names. */
const SCRIPTS =
  'Latin Common Han Cyrillic Greek Arabic Hebrew Hangul Hiragana Katakana Thai Devanagari Bengali Inherited Adlam Ahom Anatolian_Hieroglyphs Armenian Avestan Balinese Bamum Bassa_Vah Batak Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee Coptic Cuneiform Cypriot Deseret Duployan Egyptian_Hieroglyphs Elbasan Ethiopic Georgian Glagolitic Gothic Grantha Gujarati Gurmukhi Hanunoo Hatran Imperial_Aramaic Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Kayah_Li Kharoshthi Khmer Khojki Khudawadi Lao Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani Malayalam Mandaic Manichaean Marchen Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean New_Tai_Lue Newa Nko Ogham Ol_Chiki Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_South_Arabian Old_Turkic Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham SignWriting Sinhala Sora_Sompeng Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangut Telugu Thaana Tibetan Tifinagh Tirhuta Ugaritic Vai Warang_Citi Yi'.split(
    ' ',
  );

/** A script of no character: it joins every other. */
const ANY = 'Any';
/** Where the library's table, or the rule of SentencePiece, names another script than Unicode. */
const OTHERS: Readonly<Record<string, string>> = {
  ' ': ANY,
  '\u30fc': 'Han',
  '\u0589': 'Common',
  '\u061c': 'Common',
  '\u0953': 'Devanagari',
  '\u0954': 'Devanagari',
};

let expressions: readonly RegExp[] | undefined;
const unknown = new RegExp(`^[${classOf(unknownScripts)}]$`, 'v');
const known = new Map<string, string>();

function scriptOf(character: string): string {
  const other = OTHERS[character] ?? known.get(character);
  if (other !== undefined) return other;
  expressions ??= SCRIPTS.map((name) => new RegExp(`^\\p{Script=${name}}$`, 'u'));
  const index = unknown.test(character) ? -1 : expressions.findIndex((script) => script.test(character));
  const name = SCRIPTS[index] ?? ANY;
  const script = name === 'Hiragana' || name === 'Katakana' ? 'Han' : name;
  known.set(character, script);
  return script;
}

/** Cuts a text where the script changes; the three of Japanese are one. What comes before the first script is dropped. */
export function splitScripts(text: string): string[] {
  const borders: number[] = [];
  let last: string | undefined;
  let at = 0;
  for (const character of text) {
    const script = scriptOf(character);
    if (script !== ANY) {
      if (script !== last) borders.push(at);
      last = script;
    }
    at += character.length;
  }
  return borders.map((start, index) => text.slice(start, borders[index + 1]));
}
