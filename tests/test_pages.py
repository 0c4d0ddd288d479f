"Every page can be rendered, and shows nothing that a reader shouldn't see."
import ast, json, re
from pathlib import Path
import pytest, yaml

root = Path(__file__).resolve().parent.parent
nbs = root/'nbs'

def page_files(): return sorted(p for p in nbs.glob('**/*.ipynb') if not any(d[0] in '._' for d in p.relative_to(nbs).parts))
pages = {str(p.relative_to(nbs)): json.loads(p.read_text(encoding='utf-8')) for p in page_files()}
each_page = pytest.mark.parametrize('name', pages)

def code(name): return [(i, ''.join(c['source']), c['outputs']) for i, c in enumerate(pages[name]['cells']) if c['cell_type'] == 'code']
def kinds(output): return set(output.get('data', {}))
def directives(source): return set(re.findall(r'^#\|\s*([\w-]+)', source, flags=re.M))

@each_page
def test_outputs_are_clean(name):
    for i, source, outputs in code(name):
        for o in outputs:
            assert o['output_type'] != 'error', f"cell {i} ends in {o.get('ename')}: {o.get('evalue')}"
            assert o.get('name') != 'stderr', f"cell {i} prints a warning or an error: {''.join(o['text'])[:200]}"
            foreign = kinds(o) - {'text/plain', 'text/markdown', 'text/latex', 'image/png', 'image/gif'}
            assert not foreign, f'cell {i} shows {foreign}; use text, PNG or GIF'

@each_page
def test_figures_are_described(name):
    for i, source, outputs in code(name):
        if any(k.startswith('image/') for o in outputs for k in kinds(o)) and 'hide' not in directives(source):
            missing = {'label', 'fig-cap', 'fig-alt'} - directives(source)
            assert not missing, f'cell {i} shows a picture without {sorted(missing)}'

def lone_python(source): return '\n'.join('' if l.lstrip().startswith(('%', '!')) else l for l in source.split('\n'))

@each_page
def test_imports_stand_alone(name):
    "The site's build runs each cell that imports something, and not the cells before it."
    for i, source, _ in code(name):
        if directives(source) & {'export', 'exports', 'exporti'} or re.search(r'^#\|\s*eval:\s*false', source, flags=re.M): continue
        if 'nbdev_export(' in source: continue
        nodes = [n for n in ast.walk(ast.parse(lone_python(source)))]
        if any(isinstance(n, (ast.Import, ast.ImportFrom)) for n in nodes):
            assert not any(isinstance(n, (ast.Expr, ast.Assign)) for n in nodes), f'cell {i} mixes an import with other code; give it a cell of its own'

def labels(source):
    "Names of figures, tables and equations that `source` defines."
    return re.findall(r'^#\|\s*label:\s*(\S+)', source, flags=re.M) + re.findall(r'\{#((?:eq|fig|tbl|sec)-[\w-]+)', source)

@each_page
def test_labels_are_unique_and_references_resolve(name):
    text = [''.join(c['source']) for c in pages[name]['cells']]
    defined = [l for t in text for l in labels(t)]
    assert len(defined) == len(set(defined)), f'a label is used twice: {sorted(l for l in set(defined) if defined.count(l) > 1)}'
    prose = [t for c, t in zip(pages[name]['cells'], text) if c['cell_type'] == 'markdown']
    used = {r for t in prose for r in re.findall(r'(?<![\w`])@((?:eq|fig|tbl|sec)-[\w-]+)', t)}
    assert used <= set(defined), f'no such label on this page: {sorted(used - set(defined))}'

@each_page
def test_links_and_pictures_exist(name):
    for c in pages[name]['cells']:
        if c['cell_type'] != 'markdown': continue
        for link in re.findall(r'\]\(([^)\s#]+)[^)]*\)', ''.join(c['source'])):
            if not re.match(r'[a-z]+:', link): assert ((nbs/name).parent/link).exists(), f'{link} leads nowhere'

@each_page
def test_page_opens_with_title_and_description(name):
    first = ''.join(pages[name]['cells'][0]['source']).split('\n')
    assert first[0].startswith('# ') and any(l.startswith('> ') for l in first)

def test_sidebar_lists_every_page_once():
    def files(entries):
        for e in entries:
            if isinstance(e, str): yield e
            else: yield from files(e['contents'])
    listed = list(files(yaml.safe_load((nbs/'sidebar.yml').read_text())['website']['sidebar']['contents']))
    assert sorted(listed) == sorted(pages)

def test_quarto_settings():
    cfg = yaml.safe_load((root/'_quarto.yml').read_text())
    assert (nbs/'_quarto.yml').is_symlink() and (nbs/'_quarto.yml').resolve() == root/'_quarto.yml'
    assert 'commonmark' not in cfg['format'] and cfg['metadata-files'] == ['nbdev.yml', 'sidebar.yml']

def test_every_page_can_be_processed_for_the_site():
    "The step before Quarto's: directives are read, hidden cells go, documentation of exported code is inserted."
    from nbdev.serve import proc_nbs
    done = proc_nbs(str(nbs), n_workers=2, force=True)
    for name in pages:
        assert (done/name).exists(), f'{name} was not processed'
        nb = json.loads((done/name).read_text(encoding='utf-8'))
        for c in nb['cells']:
            for o in c.get('outputs', []):
                assert o['output_type'] != 'error', f"{name}: {o.get('ename')}: {o.get('evalue')}"
        assert not any(re.search(r'^#\|\s*hide\b', ''.join(c['source']), flags=re.M) for c in nb['cells']), f'{name} still has hidden cells'
