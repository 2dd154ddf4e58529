import { describe, expect, it } from 'vitest';
import { ChatTemplate } from '../src/index.js';

const render = (source: string) => new ChatTemplate(source, {}).render([{ role: 'user', content: 'hi' }]);

describe('a template is rendered as Jinja2 3.1.6 renders it', () => {
  it.each([
    ["{{ '<think>so</think>\n\n    return x'.split('</think>')[-1].lstrip('\n') }}", '    return x'],
    ["{{ 'two spaces  \n'.rstrip('\n') }}|", 'two spaces  |'],
    ["{{ 'xxaxx'.strip('x') }}{{ '<<id>>'.strip('<>') }}{{ ' a '.strip() }}", 'aida'],
    ["{% set name = 'lstrip' %}{{ 'xxa'[name]('x') if false else 'xxa'.lstrip('ax') }}|", '|'],
    ['{{ -7 % 3 }} {{ 7 % -3 }} {{ -7 % -3 }} {{ 7 % 3 }} {{ 6 % -3 }}', '2 -2 -1 1 0'],
    ['{{ 7.5 % 2 }} {{ -7.5 % 2 }} {{ true % 2 }}', '1.5 0.5 1'],
    ["{% if '1' == 1 %}equal{% else %}different{% endif %}", 'different'],
    ["{% if '1' != 1 and none != false and '' != 0 %}different{% endif %}", 'different'],
    ['{% if [1, "a", [2]] == [1, "a", [2]] and {"a": 1} == {"a": 1.0} %}equal{% endif %}', 'equal'],
    ['{% if [1] == [2] or [1] == [1, 2] or {"a": 1} == {"b": 1} %}equal{% endif %}', ''],
    ['{% if [1] in [[1], [2]] and 1 in [true] and "1" not in [1] %}found{% endif %}', 'found'],
    ['{% if "b" in "abc" and "role" in messages[0] %}found{% endif %}', 'found'],
    ['{% for i in range(3) %}{{ i }}{% endfor %}{{ strftime_now("%Y") | length }}', '0124'],
    ['{{ messages[0].name is defined and messages[0].name.first }}{{ messages[0]["role"][0] }}', 'falseu'],
  ])('%s gives %j', (source, text) => {
    expect(render(source)).toBe(text);
  });

  it.each([
    ['{{ nothing.attribute }}', "'nothing' is undefined, so it has no 'attribute'"],
    ["{{ messages[0].name['first'] }}", "'name' is undefined, so it has no 'first'"],
    ['{% if messages[0].name.first is defined %}{% endif %}', "'name' is undefined"],
    ['{{ 1 % 0 }}', 'modulo by zero'],
  ])('%s is refused', (source, message) => {
    expect(() => render(source)).toThrow(message);
  });
});

it('what templates do with messages is as in Jinja2', () => {
  const source =
    "{% for m in messages %}{% if loop.index0 % 2 == 0 and m['role'] != 'user' %}{{ raise_exception('order') }}{% endif %}{{ m.content | trim }}{{ m.name is defined }}{% endfor %}";
  expect(render(source)).toBe('hifalse');
});

describe('what follows a reply', () => {
  const source =
    '{{ bos }}{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}';

  it('is the end of its turn, and the next messages', () => {
    const template = new ChatTemplate(source, {});
    expect(template.renderBehindReply([{ role: 'user', content: 'and?' }])).toBe(
      '</s><user>and?</s><assistant>',
    );
    const whole = template.render([
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
      { role: 'user', content: 'and?' },
    ]);
    expect(whole.endsWith(`b${template.renderBehindReply([{ role: 'user', content: 'and?' }])}`)).toBe(true);
  });

  it('is refused for a template that shows no replies', () => {
    const blind = new ChatTemplate(
      "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}",
      {},
    );
    expect(() => blind.renderBehindReply([{ role: 'user', content: 'and?' }])).toThrow('shows no reply');
  });
});
