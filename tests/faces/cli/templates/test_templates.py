"""Templates are read and filled as Go's text/template does it, with docker's functions."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.faces.cli.templates.filling import Template
from sampan.faces.cli.templates.functions import HEADING_FUNCTIONS
from sampan.faces.cli.templates.json_text import json_text
from sampan.faces.cli.templates.values import GoList, GoMap, Record, TemplateFailed

PORTS = GoMap({"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}, GoList(is_nil=True))
DOCUMENT: dict[str, Any] = {
    "Name": "/web",
    "Running": True,
    "Pid": 41,
    "Ratio": 0.5,
    "Health": None,
    "Labels": GoMap({"b": "2", "a": "1"}),
    "Args": ["sleep", "10 s"],
    "Ports": PORTS,
    "State": {"Status": "running", "Code": 0},
    "None": GoList(is_nil=True),
    "Empty": GoMap(is_nil=True),
}


def filled(template: str, value: Any = None) -> str:
    return Template(template).filled(DOCUMENT if value is None else value)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain } text }}", "plain } text }}"),
        ("{{.Name}}:{{.State.Status}}", "/web:running"),
        ("{{ .Running }} {{.Pid}} {{.Ratio}}", "true 41 0.5"),
        ("{{.Labels}} {{.Args}} {{.State}}", "map[a:1 b:2] [sleep 10 s] {running 0}"),
        ("{{.Health}} {{.None}} {{.Empty}}", "<nil> [] map[]"),
        ("{{.Ports}}", "map[80/tcp:[{0.0.0.0 8080}]]"),
        ("{{.Labels.a}} {{.Labels.c}} {{.Labels.c.d}}", "1 <no value> <no value>"),
        ('{{index .Labels "a"}}{{index .Labels "c"}}', "1"),
        ('{{(index (index .Ports "80/tcp") 0).HostPort}}', "8080"),
        ('{{index .Ports "81/tcp"}}', "[]"),
        ("{{index .Args 1}} {{len .Args}} {{len .Name}}", "10 s 2 4"),
        ('{{slice "abcdef" 2}} {{slice .Name 1 3}} {{slice .Args 0 1}}', "cdef we [sleep]"),
    ],
)
def test_fields_and_elements(template: str, text: str) -> None:
    assert filled(template) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{if .Running}}up{{else}}down{{end}}", "up"),
        ("{{if .Health}}{{.Health.Status}}{{else}}none{{end}}", "none"),
        ("{{if .None}}a{{else if .Empty}}b{{else if .State}}c{{else}}d{{end}}", "c"),
        ("{{with .State}}{{.Status}} of {{$.Name}}{{end}}", "running of /web"),
        ("{{with .Health}}x{{else with .Args}}{{len .}}{{end}}", "2"),
        ("{{range .Args}}<{{.}}>{{end}}", "<sleep><10 s>"),
        ("{{range $i, $a := .Args}}{{if $i}}, {{end}}{{$i}}={{$a}}{{end}}", "0=sleep, 1=10 s"),
        ("{{range $k, $v := .Labels}}{{$k}}{{$v}} {{end}}", "a1 b2 "),
        ("{{range .None}}x{{else}}nothing{{end}}", "nothing"),
        ("{{range 3}}{{.}}{{end}}", "012"),
        (
            "{{range 9}}{{if eq . 2}}{{continue}}{{end}}{{if gt . 4}}{{break}}{{end}}{{.}}{{end}}",
            "0134",
        ),
        ("{{range $p, $c := .Ports}}{{$p}}->{{(index $c 0).HostPort}}{{end}}", "80/tcp->8080"),
        ("{{$x := .Pid}}{{range .Args}}{{$x = .}}{{end}}{{$x}}", "10 s"),
        ("{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}", "1"),
        ("a  {{- .Pid -}}  b {{- /* a remark */ -}} c", "a41bc"),
        ("{{/* a remark */}}x{{- 3}}", "x3"),
    ],
)
def test_conditions_loops_variables_and_blanks(template: str, text: str) -> None:
    assert filled(template) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{json .Args}} {{json .None}} {{json .Empty}}", '["sleep","10 s"] null null'),
        ('{{json .Labels}} {{json "<&>"}}', '{"a":"1","b":"2"} "<&>"'),
        ("{{json .State | len}}", "29"),
        ('{{join .Args "+"}} {{join .Labels ","}} {{join .None "x"}}', "sleep+10 s 1,2 "),
        ('{{split "a.b.c" "."}} {{index (split .Name "/") 1}}', "[a b c] web"),
        (
            "{{title `two words`}} {{upper .Name}} {{.Name | lower | printf `%q`}}",
            'Two Words /WEB "/web"',
        ),
        ('[{{pad .Name 1 2}}] [{{pad "" 1 2}}] {{truncate .Name 3}}', "[ /web  ] [] /we"),
        ("{{println 1 `a`}}{{print 1 2 `a` 3}}", "1 a\n1 2a3"),
        (
            "{{eq .Pid 1 41}} {{ne .Name `x`}} {{lt 1 2}} {{le 2 2}} {{gt `a` `b`}} {{ge 1 2}}",
            "true true true true false false",
        ),
        (
            "{{and .Running .Pid}} {{or .Health .Name}} {{not .None}} {{and .None .Nope}}",
            "41 /web true []",
        ),
        ("{{eq .Health nil}}", "true"),
        (
            "{{printf `%-6s|%6s|%06d|%x|%.1f|%v|%t|%%|%c` .Name .Name 41 255 .Ratio 1 true 65}}",
            "/web  |  /web|000041|ff|0.5|1|true|%|A",
        ),
        ("{{printf `%d %s` .Name}}", "%!d(string=/web) %!s(MISSING)"),
        ("{{printf `x` 1}}", "x%!(EXTRA int=1)"),
        ("{{'a'}} {{0x10}} {{1e3}} {{010}} {{\"\\u00e9\\n\"}}", "97 16 1000 8 \u00e9\n"),
        ("{{.Args | len | printf `%d of %s` }}", "2 of %!s(MISSING)"),
    ],
)
def test_functions_and_pipelines(template: str, text: str) -> None:
    assert filled(template) == text


def test_a_record_has_methods_and_is_its_fields_in_json() -> None:
    record = Record({"Names": "a>b", "ID": "1"}, {"Label": lambda name: f"<{name}>"})
    assert filled('{{.Names}} {{.Label "x"}}', record) == "a>b <x>"
    assert filled("{{json .}}", record) == '{"ID":"1","Names":"a\\u003eb"}'
    with pytest.raises(TemplateFailed, match=r"there is no field \.Nope; there are Names, ID"):
        filled("{{.Nope}}", record)
    with pytest.raises(TemplateFailed, match="wrong number of args"):
        filled("{{.Label}}", record)


def test_headings_are_left_as_they_are() -> None:
    template = Template("{{upper .ID}} {{json .Names}} {{truncate .Names 1}} {{pad .ID 1 0}}")
    headings = GoMap({"ID": "Id", "Names": "Names"})
    assert template.filled(headings, table=HEADING_FUNCTIONS) == "Id Names Names  Id"


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{.Nope}}", "there is no field .Nope"),
        ("{{.Name.x}}", "can't evaluate field x"),
        ("{{.Health.Status}}", "nil pointer evaluating .Status"),
        ("{{nope 1}}", 'function "nope" not defined'),
        ("{{$x}}", 'undefined variable "$x"'),
        ("{{if true}}{{$x := 1}}{{end}}{{$x}}", 'undefined variable "$x"'),
        ("a\n{{.Name", "unclosed action"),
        ("{{if true}}", "lacks its {{end}}"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{if}}x{{end}}", "missing value"),
        ("{{(.Name}}", "unclosed left paren"),
        ("{{.Name | 3}}", "is no function"),
        ("{{3 4}}", "can't give arguments"),
        ("{{break}}", "outside {{range}}"),
        ("{{`a` | printf `%s` | len | upper}}", "expected string"),
        ("{{index .Args 2}}", "error calling index: index out of range: 2"),
        ("{{len 3}}", "error calling len"),
        ("{{eq 1 `1`}}", "incompatible types"),
        ("{{range .Name}}{{end}}", "can't iterate"),
        ("{{upper}}", "wrong number of args for upper"),
        ('{{"\\q"}}', "unknown escape"),
        ("\n\n{{\x01}}", "line 3"),
    ],
)
def test_what_is_wrong_is_told(template: str, told: str) -> None:
    with pytest.raises(TemplateFailed) as failure:
        filled(template)
    assert told in str(failure.value)


@pytest.mark.parametrize(
    "template",
    [
        "{{range 1000}}{{range 1000}}{{range 1000}}x{{end}}{{end}}{{end}}",
        "{{range 1000000000}}{{end}}",
        '{{$x := "aaaaaaaa"}}{{range 100}}{{$x = print $x $x}}{{end}}',
        '{{$x := "a%sa%s"}}{{range 100}}{{$x = printf $x $x $x}}{{end}}',
        '{{pad "x" 1000000000 0}}',
        '{{printf "%1000000000d" 1}}',
        "{{range 400000}}xxxxxxxxxxxxxxxxxxxxx{{end}}",
        "{{" + "(" * 5000 + "1" + ")" * 5000 + "}}",
        "{{if 1}}" * 5000,
        "x" * 100_000,
    ],
)
def test_a_template_is_bounded(template: str) -> None:
    with pytest.raises(TemplateFailed):
        filled(template)


_PIECES = st.sampled_from(
    [
        "{{",
        "}}",
        "{{-",
        "-}}",
        ".Name",
        "$x",
        ":=",
        "|",
        "(",
        ")",
        "range",
        "if",
        "else",
        "end",
        "with",
        "'a'",
        "1",
        "index",
        "printf",
        "json",
        ".",
        "/*",
        "*/",
        "break",
        "é",
    ]
)


@given(st.lists(_PIECES | st.just(" "), max_size=30).map("".join))
def test_any_text_is_filled_or_refused(template: str) -> None:
    try:
        text = filled(template)
    except TemplateFailed:
        return
    assert "{{" in template or text == template


_TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e15, 1e15) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_TREES)
def test_json_reads_as_what_it_was_made_of(tree: Any) -> None:
    assert json.loads(json_text(tree)) == tree
    assert json.loads(json_text(tree, escapes_markup=True)) == tree


@given(st.text())
def test_a_string_in_a_template_is_that_string(text: str) -> None:
    escaped = json.dumps(text)
    if "\\ud" not in escaped:
        assert filled(f"{{{{{escaped}}}}}") == text
    assert filled("{{printf `%s` .}}", Record({})) == "map[]"
