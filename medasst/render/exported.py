"""A chat template for other engines: from the same messages it gives the prompt that the renderer gives.

Other engines hand messages to a template as they come. So what the renderer does around a template goes into the template
itself: fitting messages (`fitting.py`), BOS where the template leaves it to the tokenizer, what our prompt ends with though the
template's own doesn't (Qwen3's empty block of thoughts), and the plain template, written in Jinja.
"""

from __future__ import annotations

import json

from medasst.conversation import ROLES, Message
from medasst.render.renderer import Renderer
from medasst.render.template import PLAIN_OPENING, plain_turn

# `fit` of fitting.py. Slices and appending are left out: engines that aren't Python lack the one, sandboxes forbid the other.
_FIT = """\
{%- set fitted = namespace(system='', turns=[], role='', text='') %}
{%- for message in messages %}
{%- if message['role'] == 'system' %}
{%- if message['content'] | trim %}
{%- set fitted.system = (fitted.system + '\\n' if fitted.system else '') + message['content'] %}
{%- endif %}
{%- elif message['role'] == fitted.role %}
{%- set fitted.text = fitted.text + '\\n' + message['content'] %}
{%- elif message['role'] == 'user' or fitted.role %}
{%- if fitted.role %}
{%- set fitted.turns = fitted.turns + [{'role': fitted.role, 'content': fitted.text}] %}
{%- endif %}
{%- set fitted.role = message['role'] %}
{%- set fitted.text = message['content'] %}
{%- endif %}
{%- endfor %}
{%- if fitted.role %}
{%- set fitted.turns = fitted.turns + [{'role': fitted.role, 'content': fitted.text}] %}
{%- endif %}
"""
_SYSTEM_TURN = """\
{%- if fitted.system %}
{%- set fitted.turns = [{'role': 'system', 'content': fitted.system}] + fitted.turns %}
{%- endif %}
"""
# The first turn is a user's; of the others nothing changes.
_NO_SYSTEM_TURN = """\
{%- if fitted.system and fitted.turns %}
{%- set fitted.text = fitted.turns[0]['content'] %}
{%- set fitted.role = '' %}
{%- set fitted.rest = [] %}
{%- for turn in fitted.turns %}
{%- if not loop.first %}
{%- set fitted.rest = fitted.rest + [turn] %}
{%- endif %}
{%- endfor %}
{%- set fitted.turns = [{'role': 'user', 'content': fitted.system + '\\n\\n' + fitted.text}] + fitted.rest %}
{%- elif fitted.system %}
{%- set fitted.turns = [{'role': 'user', 'content': fitted.system}] %}
{%- endif %}
"""
_USE = "{%- set messages = fitted.turns %}"
_PLAIN_TURN = "{%- if message['role'] == ROLE %}{{- BEFORE + message['content'] + AFTER }}{%- endif %}\n"


def exported_template(renderer: Renderer) -> str:
    """Jinja that gives `renderer`'s prompts; engines add no BOS to it."""
    if renderer.template is None:
        return _FIT + _SYSTEM_TURN + _USE + _plain(renderer)
    form = renderer.form
    takes_system, opening = (form.takes_system, form.opening) if form else (True, "")
    bos = "{{ " + _quoted(renderer.bos) + " }}" if renderer.bos and not _begins_with_bos(renderer) else ""
    end = "{% if add_generation_prompt %}{{ " + _quoted(opening) + " }}{% endif %}" if opening else ""
    # Jinja leaves out a line break at the very end of a template; before our own end it would stay.
    source = renderer.template.removesuffix("\n") if end else renderer.template
    return _FIT + (_SYSTEM_TURN if takes_system else _NO_SYSTEM_TURN) + _USE + bos + source + end


def _plain(renderer: Renderer) -> str:
    """The plain template in Jinja."""
    turns = ""
    for role in ROLES:
        before, after = map(_quoted, plain_turn(role, renderer.eos))
        turns += _PLAIN_TURN.replace("ROLE", _quoted(role)).replace("BEFORE", before).replace("AFTER", after)
    opening = "{%- if add_generation_prompt %}{{- " + _quoted(PLAIN_OPENING) + " }}{%- endif %}"
    return "{{- " + _quoted(renderer.bos) + " }}\n{%- for message in messages %}\n" + turns + "{%- endfor %}\n" + opening


def _begins_with_bos(renderer: Renderer) -> bool:
    """Whether the template writes BOS itself."""
    return renderer.template_text([Message("user", "?")]).startswith(renderer.bos)


def _quoted(text: str) -> str:
    """As a string of Jinja."""
    return json.dumps(text, ensure_ascii=False)
