import { describe, expect, it } from 'vitest';
import { ChatTemplate } from '../src/index.js';

const render = (source: string) => new ChatTemplate(source, {}).render([{ role: 'user', content: 'hi' }]);

describe('what the library renders otherwise than Jinja2, as the documentation names it', () => {
  it.each([
    ['{{ -7 % 3 }}', '-1'],
    ['{{ 7 % -3 }}', '1'],
    ['{{ "1" == 1 }}', 'true'],
    ['{{ [1] == [1] }}', 'false'],
    ['{{ nothing.attribute }}', ''],
  ])('%s gives %j', (source, text) => {
    expect(render(source)).toBe(text);
  });
});

it('what templates do with messages is as in Jinja2', () => {
  const source =
    "{% for m in messages %}{% if loop.index0 % 2 == 0 and m['role'] != 'user' %}{{ raise_exception('order') }}{% endif %}{{ m.content | trim }}{{ m.name is defined }}{% endfor %}";
  expect(render(source)).toBe('hifalse');
});
