import { createHash } from 'node:crypto';
import { markup } from './markup.js';

/** What a page says of what it follows. */
export interface Following {
  /** One sentence on how it stands, below the heading. */
  readonly status: string;
  /** Whether nothing comes any more. */
  readonly ended: boolean;
}

/**
 * Puts the newest page in the place of the one that is shown, without loading it: where the reader has scrolled to, and what has
 * the focus, stay. The server sends whole pages as events `{ page }`; after the last one nothing is asked for any more.
 */
export const FOLLOWING = markup`
const source = new EventSource('events');
let misses = 0;
source.onmessage = ({ data }) => {
  misses = 0;
  const next = new DOMParser().parseFromString(JSON.parse(data).page, 'text/html');
  const links = () => [...document.querySelectorAll('main a')];
  const at = links().indexOf(document.activeElement);
  for (const part of ['header', 'main']) document.querySelector(part).replaceWith(next.querySelector(part));
  if (at >= 0) links()[at]?.focus({ preventScroll: true });
  document.title = next.title;
  const status = document.getElementById('following');
  const { textContent, dataset } = next.getElementById('following');
  if (status.textContent !== textContent) status.textContent = textContent;
  if (dataset.ended === 'true') source.close();
};
source.onerror = () => {
  document.getElementById('following').textContent = 'Nobody answers: the command has ended, or cannot be reached. These numbers are the last ones.';
  if (++misses === 20) source.close();
};
`;

const checksum = createHash('sha256').update(FOLLOWING.toString()).digest('base64');

/** What the page's policy allows besides: that script and no other, and to ask the server that it comes from. */
export const followingPolicy = markup`; script-src 'sha256-${checksum}'; connect-src 'self'`;
