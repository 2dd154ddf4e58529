import type { Inspection, InspectionPicture } from '@palimpsest/lm';
import { Histograms } from './histograms.js';
import { Lines } from './lines.js';
import { Matrix } from './matrix.js';
import { ShadedText } from './shaded-text.js';

/** Everything that a mechanism shows of its memory. */
export function InspectionView({ inspection }: { readonly inspection: Inspection }) {
  const { facts, summary, sections } = inspection;
  return (
    <div class="inspection">
      <p role="status">{summary.join('; ')}.</p>
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {sections.map(({ title, note, pictures }, index) => (
        <details key={title} open={index < 2}>
          <summary>{title}</summary>
          {note !== undefined && <p class="hint">{note}</p>}
          <div class="pictures">
            {pictures.map((picture, place) => (
              <Picture key={`${title} ${place}`} picture={picture} />
            ))}
          </div>
        </details>
      ))}
    </div>
  );
}

function Picture({ picture }: { readonly picture: InspectionPicture }) {
  switch (picture.kind) {
    case 'text':
      return <ShadedText picture={picture} />;
    case 'lines':
      return <Lines picture={picture} />;
    case 'histograms':
      return <Histograms picture={picture} />;
    case 'matrix':
      return <Matrix picture={picture} />;
  }
}
