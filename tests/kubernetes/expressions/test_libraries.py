"""What each library gives, and how it fails."""

from typing import Any

import pytest

from sampan.kubernetes.expressions.budget import Budget
from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.library.authorizers import AUTHORIZER, Authorizer, Question
from sampan.kubernetes.expressions.program import compile


def value_of(text: str, **bindings: Any) -> Any:
    return compile(text, variables=bindings.keys()).evaluate(bindings, Budget())


@pytest.mark.parametrize(
    "text",
    [
        # strings
        "'tacocat'.charAt(3) == 'o' && 'abc'.charAt(3) == ''",
        "'hello mellow'.indexOf('ello') == 1 && 'hello mellow'.indexOf('ello', 2) == 7",
        "'hello mellow'.lastIndexOf('ello') == 7 && 'hello mellow'.lastIndexOf('ello', 6) == 1",
        "'abc'.indexOf('z') == -1",
        "'TacoCat'.lowerAscii() == 'tacocat' && 'tacoÇ'.upperAscii() == 'TACOÇ'",
        "'hello hello'.replace('he', 'we') == 'wello wello'",
        "'hello hello'.replace('he', 'we', 1) == 'wello hello'",
        "'a,b,c'.split(',') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c']",
        "'abc'.split('') == ['a', 'b', 'c'] && 'a,b'.split(',', 0) == []",
        "'tacocat'.substring(4) == 'cat' && 'tacocat'.substring(0, 4) == 'taco'",
        "'  \\ttrim\\n '.trim() == 'trim'",
        "['a', 'b'].join() == 'ab' && ['a', 'b'].join('-') == 'a-b' && [].join('x') == ''",
        "'abc'.reverse() == 'cba'",
        "'hello'.contains('ell') && 'hello'.startsWith('he') && 'hello'.endsWith('lo')",
        "'hello'.matches('^h.*o$') && matches('hello', 'l+') && !'hello'.matches('^x')",
        "'%s is %s'.format(['a', 'b']) == 'a is b'",
        "'%d%%'.format([50]) == '50%' && '%.2f'.format([1.234]) == '1.23'",
        "'%x %X %o %b'.format([255, 255, 8, 5]) == 'ff FF 10 101'",
        "'%s'.format([[1, 2]]) == '[1, 2]' && '%s'.format([{'a': true}]) == '{a: true}'",
        "'%s'.format([duration('1m')]) == '60s' && '%s'.format([null]) == 'null'",
        "'%e'.format([1234.5]) == '1.234500e+03'",
        "strings.quote('a\"b') == '\"a\\\\\"b\"'",
        # lists and sets
        "[1, 2, 3].isSorted() && !['b', 'a'].isSorted() && [].isSorted()",
        "[1, 2, 3].sum() == 6",
        "[1.5, 2.5].sum() == 4.0",
        "[duration('1m')].sum() == duration('60s')",
        "[1, 3, 2].min() == 1 && ['a', 'c', 'b'].max() == 'c'",
        "[1, 2, 2].indexOf(2) == 1 && [1, 2, 2].lastIndexOf(2) == 2 && [1].indexOf(5) == -1",
        "sets.contains([1, 2, 3], [2, 3]) && !sets.contains([1], [2])",
        "sets.equivalent([1, 2], [2, 1, 1]) && !sets.equivalent([1], [1, 2])",
        "sets.intersects([1, 2], [2, 3]) && !sets.intersects([1], [2])",
        # regex
        "'abc 123'.find('[0-9]+') == '123' && 'abc'.find('[0-9]+') == ''",
        "'123 abc 456'.findAll('[0-9]+') == ['123', '456']",
        "'123 abc 456'.findAll('[0-9]+', 1) == ['123'] && 'abc'.findAll('[0-9]+') == []",
        # URLs
        "url('https://user@example.com:80/a%20b?k=1&k=2').getHost() == 'example.com:80'",
        "url('https://[::1]:80/').getHostname() == '::1'",
        "url('https://[::1]:80/').getPort() == '80'",
        "url('/path').getScheme() == ''",
        "url('https://a/b c'.replace(' ', '%20')).getScheme() == 'https'",
        "url('https://example.com/a%20b').getEscapedPath() == '/a%20b'",
        "url('https://example.com/?k=1&k=2').getQuery() == {'k': ['1', '2']}",
        "isURL('https://example.com') && !isURL('../relative') && !isURL('https://a:b:c/')",
        # quantities
        "quantity('1Gi').compareTo(quantity('1G')) == 1 && quantity('1.5').sign() == 1",
        "quantity('50k').asInteger() == 50000 && !quantity('1500m').isInteger()",
        "quantity('1500m').asApproximateFloat() == 1.5",
        "quantity('50k').add(20) == quantity('50020')",
        "quantity('1').sub(quantity('1')).sign() == 0",
        "isQuantity('1.3Gi') && !isQuantity('1.3x')",
        "quantity('200M').isLessThan(quantity('1G'))",
        "quantity('1G').isGreaterThan(quantity('1'))",
        "type(quantity('1')) == kubernetes.Quantity",
        # addresses
        "ip('127.0.0.1').isLoopback() && ip('::1').family() == 6 && isIP('10.0.0.1')",
        "!isIP('10.0.0.256')",
        "!isIP('::ffff:1.2.3.4')",
        "!isIP('fe80::1%eth0')",
        "!isIP('010.0.0.1')",
        "ip('0.0.0.0').isUnspecified() && ip('224.0.0.1').isLinkLocalMulticast()",
        "ip('fe80::1').isLinkLocalUnicast() && ip('10.0.0.1').isGlobalUnicast()",
        "ip.isCanonical('::1') && !ip.isCanonical('::0001') && string(ip('::0001')) == '::1'",
        "cidr('10.0.0.0/8').containsIP(ip('10.1.2.3'))",
        "!cidr('10.0.0.0/8').containsIP('11.0.0.1')",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')",
        "!cidr('10.1.0.0/16').containsCIDR('10.0.0.0/8')",
        "cidr('10.1.2.3/8').ip() == ip('10.1.2.3')",
        "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')",
        "cidr('10.0.0.0/8').prefixLength() == 8",
        "isCIDR('::/0')",
        "!isCIDR('10.0.0.0')",
        "!isCIDR('10.0.0.0/33')",
        # versions
        "semver('1.2.3-rc.1').isLessThan(semver('1.2.3'))",
        "semver('1.10.0').isGreaterThan(semver('1.9.0'))",
        "semver('1.2.3').major() == 1",
        "semver('1.2.3').minor() == 2",
        "semver('1.2.3').patch() == 3",
        "semver('v1.2', true) == semver('1.2.0')",
        "isSemver('1.0.0')",
        "!isSemver('1.0')",
        "isSemver('v01.0', true)",
        "semver('1.0.0-alpha.2').compareTo(semver('1.0.0-alpha.10')) == -1",
        # named formats
        "!format.dns1123Label().validate('ok-name').hasValue()",
        "format.dns1123Label().validate('Bad_Name').value().size() == 1",
        "!format.named('uuid').value().validate('123e4567-e89b-12d3-a456-426614174000').hasValue()",
        "!format.named('nonsense').hasValue() && format.date().validate('2026-02-30').hasValue()",
        "!format.byte().validate('aGk=').hasValue() && format.datetime().validate('x').hasValue()",
        "!format.dns1123LabelPrefix().validate('web-').hasValue()",
        # JSON patch
        "jsonpatch.escapeKey('example.com/a~b') == 'example.com~1a~0b'",
    ],
)
def test_true(text: str) -> None:
    assert value_of(text) is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'abc'.charAt(4)", "index out of range: 4"),
        ("'abc'.substring(2, 1)", "invalid substring range. start: 2, end: 1"),
        ("[].min()", "min called on empty list"),
        ("quantity('x')", "quantities must match the regular expression"),
        ("ip('999.0.0.1')", 'IP Address "999.0.0.1" parse error during conversion from string'),
        ("url('x y')", "URL parse error during conversion from string"),
        ("quantity('0.5').asInteger()", "cannot convert value to integer"),
        ("semver('1')", 'Invalid Semantic Version "1"'),
        ("'%d'.format(['a'])", "error during formatting: decimal clause can't be used on string"),
        ("'%s'.format([])", "index 0 out of range"),
        ("'%y'.format([1])", "could not parse formatting clause"),
        ("'a'.matches(pattern)", "error parsing regexp"),
    ],
)
def test_failures(text: str, message: str) -> None:
    with pytest.raises(EvaluationFailed) as caught:
        value_of(text, pattern="(")
    assert str(caught.value).startswith(message)


def test_permissions_are_asked_of_who_decides() -> None:
    asked: list[Question] = []

    def decide(question: Question) -> tuple[bool, str]:
        asked.append(question)
        return question.verb == "get", "because"

    text = (
        "authorizer.serviceAccount('default', 'app').group('apps').resource('deployments')"
        ".subresource('scale').namespace('n').name('web').check('get').allowed()"
        " && !authorizer.path('/healthz').check('post').allowed()"
        " && authorizer.path('/x').check('get').reason() == 'because'"
    )
    program = compile(text, variables={"authorizer": AUTHORIZER})
    budget = Budget(2_000_000)
    assert program.evaluate({"authorizer": Authorizer(decide)}, budget, 2_000_000) is True
    assert asked[0] == Question(
        verb="get",
        group="apps",
        resource="deployments",
        subresource="scale",
        namespace="n",
        name="web",
        account=("default", "app"),
    )
    assert [it.path for it in asked] == ["", "/healthz", "/x"]
