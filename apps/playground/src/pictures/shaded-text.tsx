import type { TextPicture } from '@palimpsest/lm';
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** The text on a ground that grows stronger with a value; a piece that is pointed at, touched or reached by keys tells its note. */
export function ShadedText({ picture }: { readonly picture: TextPicture }) {
  const id = useId();
  const [chosen, setChosen] = useState(picture.pieces.length - 1);
  const move = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    setChosen((at) => Math.max(0, Math.min(picture.pieces.length - 1, at + by)));
  };
  const point = ({ target }: MouseEvent) => {
    const index = target instanceof HTMLElement ? target.dataset.index : undefined;
    if (index !== undefined) setChosen(Number(index));
  };
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const [frame, piece] = [box.current, box.current?.children[chosen]];
    if (frame && piece instanceof HTMLElement) showWithin(frame, piece);
  }, [chosen]);
  const piece = picture.pieces[chosen];
  return (
    <figure class="shaded">
      {picture.title !== undefined && <figcaption>{picture.title}</figcaption>}
      <div
        ref={box}
        class="text"
        role="listbox"
        aria-label="Text; arrows walk through it"
        aria-activedescendant={`${id}-${chosen}`}
        tabIndex={0}
        onKeyDown={move}
        onClick={point}
        onMouseOver={point}
        onFocus={() => setChosen((at) => at)}
      >
        {picture.pieces.map(({ text, shade, border }, index) => (
          <span
            key={index}
            id={`${id}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === chosen}
            data-index={index}
            class={border === true ? 'border' : ''}
            style={{ '--shade': shade }}
          >
            {text}
          </span>
        ))}
      </div>
      <p class="note" aria-live="polite">
        {piece && `${JSON.stringify(piece.text)}: ${piece.note}`}
      </p>
    </figure>
  );
}

/** Scrolls a box, and nothing around it, to one of its pieces. */
function showWithin(box: HTMLElement, piece: HTMLElement): void {
  const top = piece.offsetTop - box.offsetTop;
  const isSeen = top >= box.scrollTop && top + piece.offsetHeight <= box.scrollTop + box.clientHeight;
  if (!isSeen) box.scrollTop = top - box.clientHeight / 2;
}
