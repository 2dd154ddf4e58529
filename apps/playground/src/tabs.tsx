import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';

interface Tab {
  readonly name: string;
  readonly panel: ComponentChildren;
}

/** Tabs as the ARIA practices have them: arrows, Home and End move, and the panels keep what they hold. */
export function Tabs({ tabs }: { readonly tabs: readonly Tab[] }) {
  const [current, setCurrent] = useState(0);
  const buttons = useRef<(HTMLButtonElement | null)[]>([]);
  const go = (index: number) => {
    const next = (index + tabs.length) % tabs.length;
    setCurrent(next);
    buttons.current[next]?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const target = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: tabs.length - 1 }[
      event.key
    ];
    if (target === undefined) return;
    event.preventDefault();
    go(target);
  };
  return (
    <>
      <div class="tabs" role="tablist" aria-label="What to do">
        {tabs.map(({ name }, index) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${index}`}
            aria-controls={`panel-${index}`}
            aria-selected={index === current}
            tabIndex={index === current ? 0 : -1}
            ref={(button) => {
              buttons.current[index] = button;
            }}
            onClick={() => setCurrent(index)}
            onKeyDown={onKeyDown}
          >
            {name}
          </button>
        ))}
      </div>
      {tabs.map(({ name, panel }, index) => (
        <section
          key={name}
          role="tabpanel"
          id={`panel-${index}`}
          aria-labelledby={`tab-${index}`}
          hidden={index !== current}
        >
          {panel}
        </section>
      ))}
    </>
  );
}
