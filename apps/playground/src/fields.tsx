import { useId } from 'preact/hooks';

/** A choice with its label. */
export function Choice<Value extends string>(props: {
  readonly label: string;
  readonly value: Value;
  /** What is chosen among; `about` is told of the one that is. */
  readonly options: readonly { readonly value: Value; readonly text: string; readonly about?: string }[];
  readonly onChange: (value: Value) => void;
  readonly disabled?: boolean;
}) {
  const id = useId();
  const about = props.options.find(({ value }) => value === props.value)?.about;
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <select
        id={id}
        aria-describedby={about === undefined ? undefined : `${id}-about`}
        value={props.value}
        disabled={props.disabled}
        onChange={(event) => props.onChange(event.currentTarget.value as Value)}
      >
        {props.options.map(({ value, text }) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
      {about !== undefined && (
        <span id={`${id}-about`} class="hint">
          {about}
        </span>
      )}
    </div>
  );
}

/** A text of several lines with its label. */
export function TextArea(props: {
  readonly label: string;
  readonly value: string;
  readonly rows: number;
  readonly onInput: (value: string) => void;
  readonly disabled?: boolean;
}) {
  const id = useId();
  return (
    <div class="field wide">
      <label for={id}>{props.label}</label>
      <textarea
        id={id}
        rows={props.rows}
        value={props.value}
        disabled={props.disabled}
        spellcheck={false}
        onInput={(event) => props.onInput(event.currentTarget.value)}
      />
    </div>
  );
}

/** A figure with what it is. */
export function Figure({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** What went wrong, when something did. */
export function Problem({ text }: { readonly text: string }) {
  return text === '' ? null : (
    <p role="alert" class="problem">
      {text}
    </p>
  );
}
