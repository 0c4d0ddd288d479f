"""What the package offers, written down: `python scripts/api.py`, or `--check` to compare only.

A notebook adds methods to a class as it goes (`@patch`), but editors and type checkers look for them inside of it.
So each module that patches has a stub beside it (.pyi), in which they stand there.
tests/fixtures/api.txt lists all that is public: names, signatures, fields, and the commands with their options."""
import ast, difflib, re, sys
from collections import defaultdict
from importlib import import_module
from pathlib import Path

root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root))            # this package, and no other that is installed
package, listing = root/'jepa_tutorial', root/'tests/fixtures/api.txt'
stub_head = '# Made by scripts/api.py: the module as type checkers should see it, its patched methods inside their classes.\n'

declarations = ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign

def modules() -> list[Path]: return sorted(f for f in package.rglob('*.py') if f.name != '_modidx.py')

def patched(node) -> str | None:
    "The class that a function is patched into, if it is."
    names = [getattr(getattr(d, 'func', d), 'id', '') for d in getattr(node, 'decorator_list', [])]
    return node.args.args[0].annotation.id if 'patch' in names else None

def method(line: str) -> str:
    "A line of a patched function, as it would stand in the class."
    line = re.sub(r'^@patch\(as_prop=True\)$', '@property', line)
    return '    ' + re.sub(r'^@patch$', '', re.sub(r'^(def \w+\(self)\s*:\s*\w+', r'\1', line))

def merged(source: str) -> list[tuple[str, int]]:
    "A module's lines with the patched methods in their classes, each with the number that it had before."
    lines, body = source.split('\n'), ast.parse(source).body
    ends, moved = {n.name: n.end_lineno for n in body if isinstance(n, ast.ClassDef)}, defaultdict(list)
    for n in body:
        if cls := patched(n): moved[ends[cls]] += range(n.decorator_list[0].lineno, n.end_lineno + 1)
    gone, out = {i for span in moved.values() for i in span}, []
    for i, line in enumerate(lines, 1):
        if i not in gone: out.append((line, i))
        out += [(method(lines[j-1]), j) for j in moved[i]]
    return out

def as_classes(path: Path) -> ast.Module:
    "The syntax tree of `merged`."
    return ast.parse('\n'.join(line for line, _ in merged(path.read_text(encoding='utf-8'))))

# what a declaration looks like

def fields(cls: ast.ClassDef) -> list[str]:
    "A class's own fields: those that it declares, then those that its methods set."
    known = {n.name for n in cls.body if isinstance(n, ast.FunctionDef)}
    found = {n.target.id: ast.unparse(n) for n in cls.body if isinstance(n, ast.AnnAssign)}
    found |= {t.id: f'{t.id}: Any' for n in cls.body if isinstance(n, ast.Assign) for t in n.targets}
    for n in ast.walk(cls):
        if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store) and getattr(n.value, 'id', '') == 'self' and n.attr not in known:
            found.setdefault(n.attr, f'{n.attr}: Any')
    return list(found.values())

def signature(f: ast.FunctionDef) -> str:
    returns = f' -> {ast.unparse(f.returns)}' if f.returns else ''
    return ''.join(f'@{ast.unparse(d)}\n' for d in f.decorator_list) + f'def {f.name}({ast.unparse(f.args)}){returns}: ...'

def kind(value: ast.expr) -> str: return type(value.value).__name__ if isinstance(value, ast.Constant) else 'Any'

def is_public(name: str) -> bool: return not name.startswith('_') or name.startswith('__')

def declared(node, only=lambda name: True) -> str:
    "A function, class or variable without its contents; of a class, the members that `only` lets through."
    if isinstance(node, ast.FunctionDef): return signature(node)
    if isinstance(node, ast.AnnAssign): return f'{ast.unparse(node.target)}: {ast.unparse(node.annotation)}'
    if isinstance(node, ast.Assign): return '\n'.join(f'{t.id}: {kind(node.value)}' for t in node.targets if isinstance(t, ast.Name) and t.id != '__all__')
    methods = [signature(n) for n in node.body if isinstance(n, ast.FunctionDef) and only(n.name)]
    members = [m for m in fields(node) if only(m.partition(':')[0])] + methods
    bases = ', '.join(map(ast.unparse, node.bases))
    head = ''.join(f'@{ast.unparse(d)}\n' for d in node.decorator_list) + f'class {node.name}({bases}):'.replace('()', '')
    return head + ('\n' + '\n'.join(members)).replace('\n', '\n    ') if members else head + ' ...'

# the stubs

def named(path: Path) -> str: return '.'.join(path.relative_to(root).with_suffix('').parts).removesuffix('.__init__')

def imports(body: list, used: set) -> list[str]:
    "The imports of a module, as far as their names are used."
    found = [n for n in body if isinstance(n, (ast.Import, ast.ImportFrom)) and getattr(n, 'module', '') != '__future__']
    for n in found: n.names = [a for a in n.names if (a.asname or a.name.partition('.')[0]) in used]
    return [ast.unparse(n) for n in found if n.names]

def stub(path: Path) -> str | None:
    "A module's stub, if it needs one because it patches."
    if not any(map(patched, ast.parse(path.read_text(encoding='utf-8')).body)): return None
    body = as_classes(path).body
    text = [declared(n) for n in body if isinstance(n, declarations) and getattr(n, 'name', '')[:2] != '__']
    head = ['from typing import Any', *imports(body, set(re.findall(r'\w+', ' '.join(text))))]
    names = import_module(named(path)).__all__
    return stub_head + '\n'.join(dict.fromkeys(head)) + '\n\n' + '\n\n'.join([f'__all__ = {names}', *filter(None, text)]) + '\n'

# the list of all that is public

def handed_on(part: Path) -> list[str]:
    "What a part's `__init__` hands on, one line for each of its modules."
    whole, out = import_module(named(part)), []
    body = ast.parse(part.read_text(encoding='utf-8')).body
    for n in [m for s in body for m in (s.body if isinstance(s, ast.If) else [s])]:    # under TYPE_CHECKING stands what is loaded late
        if not isinstance(n, ast.ImportFrom) or n.level != 1: continue
        names = [a.asname or a.name for a in n.names]
        if names == ['*']: names = import_module(f'{named(part)}.{n.module}').__all__
        out.append(f"from .{n.module}: {' '.join(sorted(a for a in names if hasattr(whole, a)))}")
    return out

def public(path: Path) -> list[str]:
    "A module's public names as declarations; a name that it only passes on stands alone."
    if path.name == '__init__.py': return handed_on(path)
    body = [n for n in as_classes(path).body if isinstance(n, declarations)]
    nodes = {getattr(n, 'name', None) or ast.unparse(getattr(n, 'target', None) or n.targets[0]): n for n in body}
    return [declared(nodes[n], is_public) if n in nodes else n for n in sorted(getattr(import_module(named(path)), '__all__', []))]

def commands() -> list[str]:
    "Each command with its arguments, as the command line takes them."
    from configparser import ConfigParser
    from fastcore.script import anno_parser
    config = ConfigParser(delimiters=['=']); config.read(root/'settings.ini', encoding='utf-8')
    out = []
    for line in config['DEFAULT']['console_scripts'].split():
        command, _, place = line.partition('=')
        module, _, name = place.partition(':')
        for a in anno_parser(getattr(import_module(module), name))._actions:
            takes = '' if a.nargs == 0 else f" {getattr(a.type, '__name__', 'str')}{a.nargs or ''}"
            default = f' = {a.default!r}' if a.option_strings else ''
            if a.dest not in ('help', 'pdb', 'xtra'): out.append(f"{command} {' '.join(a.option_strings) or a.dest}{takes}{default}")
    return out

def listed() -> str:
    "All that is public, one line for each."
    parts = []
    for m in modules():
        if names := public(m): parts += [f'# {named(m)}', *names, '']
    return '\n'.join([*parts, '# commands', *commands()]) + '\n'

if __name__ == '__main__':
    files = {listing: listed()} | {m.with_suffix('.pyi'): stub(m) for m in modules()}
    files |= {f: None for f in package.rglob('*.pyi') if not f.with_suffix('.py').exists()}      # their modules are gone
    stale = {f: t for f, t in files.items() if t != (f.read_text(encoding='utf-8') if f.exists() else None)}
    for f, text in stale.items():
        if '--check' not in sys.argv: f.write_text(text, encoding='utf-8') if text else f.unlink()
        else: print(*difflib.unified_diff((f.read_text(encoding='utf-8') if f.exists() else '').split('\n'), (text or '').split('\n'), f'{f.relative_to(root)}, as it is', 'as the package is', n=0, lineterm=''), sep='\n')
    if stale and '--check' in sys.argv: sys.exit('The public interface has changed. If that is meant: python scripts/api.py, and a line in CHANGELOG.md')
