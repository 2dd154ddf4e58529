/** A shipped model, as its card says. */
export interface ShippedCard {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly mechanism: string;
  readonly prompt: string;
  readonly lineEnd?: string;
  readonly figures: readonly { readonly measure: string; readonly value: number }[];
}

/** Folder of the page: models lie beside it. */
export const base = new URL('./', document.baseURI).href;

/** The cards of the models beside the page. */
export async function readCards(): Promise<ShippedCard[]> {
  const get = async (path: string) => (await fetch(new URL(path, base))).json();
  const names = (await get('index.json')) as string[];
  return Promise.all(names.map((name) => get(`${name}/card.json`) as Promise<ShippedCard>));
}
