/** What may stand between the parts of a `markup` template. */
export type MarkupValue = Markup | string | number | readonly Markup[];

/**
 * HTML that is safe to put into a page. It comes from `markup` only, which escapes every text that is put into it: a
 * section of a page takes nothing else, so that no text of a result can become an element or an attribute.
 */
export class Markup {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }

  /** A template of HTML: texts and numbers in it are escaped, markup stands as it is, lists one after the other. */
  static of(parts: TemplateStringsArray, ...values: readonly MarkupValue[]): Markup {
    return new Markup(parts.reduce((text, part, index) => text + show(values[index - 1]!) + part));
  }

  /**
   * An SVG document of Vega, which escapes the texts that it draws, as an inline picture.
   * @param label what there is to see, for those who cannot
   */
  static drawn(svg: string, label: string): Markup {
    const inert = svg.replace(/="([^"]*)"/g, (_, value: string) => `="${value.replaceAll('=', '&#61;')}"`);
    return new Markup(inert.replace(/^<svg/, `<svg role="img" aria-label="${escapeHtml(label)}"`));
  }

  /** A document inside of the page for programs: `<script type="application/json">`, which no browser runs. */
  static json(id: string, value: unknown): Markup {
    const text = JSON.stringify(value).replaceAll('<', '\\u003c');
    return new Markup(`<script type="application/json" id="${escapeHtml(id)}">${text}</script>`);
  }
}

/** `Markup.of`, as in markup`<p>${text}</p>`. */
export const markup = Markup.of;

function show(value: MarkupValue): string {
  if (value instanceof Markup) return value.toString();
  return Array.isArray(value) ? value.join('') : escapeHtml(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
  // Without it a text in an attribute would look like further attributes to simple filters of mail and wiki programs.
  '=': '&#61;',
};

/** Text as it may stand anywhere in HTML, in quoted attributes too. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"'`=]/g, (sign) => ENTITIES[sign]!);
}
