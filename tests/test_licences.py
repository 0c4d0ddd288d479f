"Every package that is asked for directly has a line in LICENSES.md, and the line says what the package says."
import re
from configparser import ConfigParser
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
import pytest
from packaging.requirements import Requirement

root = Path(__file__).resolve().parent.parent

def asked():
    "Package -> the extras that ask for it; '' is the library itself."
    config = ConfigParser(delimiters=['=']); config.read(root/'settings.ini', encoding='utf-8')
    found = {}
    for key, value in config['DEFAULT'].items():
        if not key.endswith('requirements'): continue
        for r in map(Requirement, value.split()): found.setdefault(r.name, set()).add(key.removesuffix('requirements').rstrip('_'))
    return {n: {''} if '' in extras else extras for n, extras in found.items()}   # dev only narrows what the library asks for

def listed():
    "Package -> (licence, extras) of LICENSES.md."
    rows = re.findall(r'^\| ([\w-]+) \| ([^|]+) \|(?: ([^|]+) \|)? [^|]+ \|$', (root/'LICENSES.md').read_text(encoding='utf-8'), re.M)
    return {name: (licence, set(extras.split(', ')) if extras else {''}) for name, licence, extras in rows if name != 'package'}

families = {'Apache': 'Apache', 'BSD': 'BSD', 'MIT': 'MIT', 'PSF': 'Python Software Foundation|matplotlib', 'MPL': 'MPL', 'CC0': 'CC0', 'Zlib': 'Zlib', 'BSL': 'BSL'}

def said(name):
    "What a package's metadata says of its licence, in one text."
    m = metadata(name)
    return ' '.join([m.get('License-Expression') or '', (m.get('License') or '')[:400], *(c for c in m.get_all('Classifier') or [] if c.startswith('License'))])

@pytest.mark.promise('Every package that this one asks for is listed with its licence, and each licence is one that lets anybody use, change and share the code.')
def test_licences_are_listed(record_property):
    rows, wanted = listed(), asked()
    assert rows.keys() == wanted.keys(), f'LICENSES.md and settings.ini differ in {sorted(rows.keys() ^ wanted.keys())}'
    for name, extras in wanted.items(): assert rows[name][1] == extras, f'{name} belongs to {extras}, LICENSES.md says {rows[name][1]}'
    checked = 0
    for name, (licence, _) in rows.items():
        try: text = said(name)
        except PackageNotFoundError: continue
        mine = {f for f in families if re.search(rf'\b{f}', licence)}
        theirs = {f for f, pattern in families.items() if re.search(pattern, text)}
        assert mine and mine <= theirs, f'{name}: LICENSES.md says {licence}, the package {text[:200]}'
        assert not re.search(r'\b[AL]?GPL', text), f'{name} has a licence that would bind this project'
        checked += 1
    assert checked >= 20
    record_property('packages', checked)
