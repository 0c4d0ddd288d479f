"Every page can be rendered, and shows nothing that a reader shouldn't see."
import ast, builtins, io, json, re, tokenize
from pathlib import Path
import pytest, yaml

root = Path(__file__).resolve().parent.parent
nbs, package = root/'nbs', root/'jepa_tutorial'

def page_files(): return sorted(p for p in nbs.glob('**/*.ipynb') if not any(d[0] in '._' for d in p.relative_to(nbs).parts))
pages = {str(p.relative_to(nbs)): json.loads(p.read_text(encoding='utf-8')) for p in page_files()}
each_page = pytest.mark.parametrize('name', pages)

def code(name): return [(i, ''.join(c['source']), c['outputs']) for i, c in enumerate(pages[name]['cells']) if c['cell_type'] == 'code']
def kinds(output): return set(output.get('data', {}))
def directives(source): return set(re.findall(r'^#\|\s*([\w-]+)', source, flags=re.M))

@each_page
def test_outputs_are_clean(name):
    for i, _, outputs in code(name):
        for o in outputs:
            assert o['output_type'] != 'error', f"cell {i} ends in {o.get('ename')}: {o.get('evalue')}"
            assert o.get('name') != 'stderr', f"cell {i} prints a warning or an error: {''.join(o['text'])[:200]}"
            foreign = kinds(o) - {'text/plain', 'text/markdown', 'text/latex', 'image/svg+xml', 'image/png', 'image/gif'}
            assert not foreign, f'cell {i} shows {foreign}; use text, SVG, PNG or GIF'

@each_page
def test_figures_are_described(name):
    for i, source, outputs in code(name):
        if any(k.startswith('image/') for o in outputs for k in kinds(o)) and 'hide' not in directives(source):
            missing = {'label', 'fig-cap', 'fig-alt'} - directives(source)
            assert not missing, f'cell {i} shows a picture without {sorted(missing)}'

@each_page
def test_no_widget_state_is_stored(name):
    "The site would load a script from another host to show it."
    assert 'widgets' not in pages[name]['metadata']

def lone_python(source): return '\n'.join('' if l.lstrip().startswith(('%', '!')) else l for l in source.split('\n'))

@each_page
def test_imports_stand_alone(name):
    "The site's build runs each cell that imports something, and not the cells before it: it needs nothing of them."
    for i, source, _ in code(name):
        if directives(source) & {'export', 'exports', 'exporti'} or re.search(r'^#\|\s*eval:\s*false', source, flags=re.M): continue
        nodes = [n for n in ast.walk(ast.parse(lone_python(source)))]
        used, made = ({n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, kind)} for kind in (ast.Load, ast.Store))
        made |= {(a.asname or a.name).split('.')[0] for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom)) for a in n.names}
        if any(isinstance(n, (ast.Import, ast.ImportFrom)) for n in nodes) and used - made - set(dir(builtins)):
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
            elif 'href' in e: yield e['href']
            else: yield from files(e['contents'])
    listed = list(files(yaml.safe_load((nbs/'sidebar.yml').read_text())['website']['sidebar']['contents']))
    texts = [p.relative_to(nbs).as_posix() for p in nbs.glob('[0-9]*/*.qmd')]
    assert sorted(listed) == sorted([*pages, *texts]) and len(texts) == 2

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
        text = ' '.join(''.join(c['source']) + json.dumps(c.get('outputs', [])) for c in nb['cells'] if c['cell_type'] == 'markdown' or c.get('outputs'))
        assert not re.search(r'<script|<iframe|<progress', text), f'{name} shows HTML that needs a script'

# what a chapter owes its reader

def module_of(name):
    "The module that a page exports into, if it does."
    found = re.findall(r'^#\|\s*default_exp\s+([\w.]+)', '\n'.join(source for _, source, _ in code(name)), re.M)
    return found[0] if found else None

numbered = [n for n in pages if re.fullmatch(r'(\d_\w+/)?\d\d_\w+\.ipynb', n)]
chapters = numbered + [n for n in pages if n.startswith('appendix/') and module_of(n)]
each_chapter = pytest.mark.parametrize('name', chapters)
lessons = [n for n in numbered if '1' <= n[0] <= '5']
interactive = [n for n in numbered if '1' <= n[0] <= '4' and Path(n).stem not in ('12_training', '14_refining')]
interactive += [n for n in numbered if Path(n).stem[:2] in ('15', '16', '17', '19') or n.startswith('7_play/')]

def test_the_lists_of_pages_are_whole():
    "Every numbered page is in one of eight parts, its number is its place, and a module has its page's name and place."
    assert [int(Path(n).stem[:2]) for n in sorted(numbered, key=lambda n: Path(n).stem) if '/' in n] == list(range(1, 31))
    assert {n[0] for n in numbered if '/' in n} == set('12345678') and len(lessons) >= 17 and len(interactive) >= 20
    assert {n for n in pages if '/' not in n} <= {'index.ipynb', '00_first_look.ipynb'}
    for n in chapters:
        part, page = Path(n).parent.name.partition('_')[2], re.sub(r'^\d\d_', '', Path(n).stem)
        if not (module := module_of(n)): continue
        if n.startswith('appendix/'): assert module.split('.')[-1] == page and module.split('.')[0] in 'tools world model training planning'.split(), f'{n} exports into {module}'
        else: assert module == f'{part}.{"learner" if page == "training" else page}', f'{n} exports into {module}'

def test_no_page_runs_nbdev():
    "A page only needs the library: whoever opens it has no nbdev."
    assert not [f'{n}, cell {i}' for n in pages for i, source, _ in code(n) if 'nbdev' in source]

def is_read(source):
    "Does a reader of the page see this code? (What a magic runs in a shell is none.)"
    found = dict(re.findall(r'^#\|[ \t]*([\w-]+):?[ \t]*(.*)$', source, re.M))
    return not (found.keys() & {'hide', 'hide_input'} or found.get('echo') == 'false' or found.get('include') == 'false' or source.startswith('%%'))

def statements_in_a_row(source):
    "Lines with a statement after a semicolon; one that ends a cell keeps its value from being shown."
    found = [t.start[0] for t in tokenize.generate_tokens(io.StringIO(lone_python(source)).readline) if t.type == tokenize.OP and t.string == ';']
    return found[:-1] if source.rstrip().endswith(';') else found

@each_page
def test_code_is_narrow(name):
    "No line is wider than the page of the site, and one statement stands on a line."
    for i, source, _ in code(name):
        if not is_read(source): continue
        wide = [l for l in source.split('\n') if len(l) > 100 and not l.startswith('#|')]
        assert not wide, f'cell {i} has {len(wide)} lines wider than 100, such as {wide[0].strip()[:60]}'
        assert not statements_in_a_row(source), f'cell {i} has statements after a semicolon, in lines {statements_in_a_row(source)}'

def cells(name): return [(c['cell_type'], ''.join(c['source']), c['metadata']) for c in pages[name]['cells']]
def prose(name): return '\n'.join(source for kind, source, _ in cells(name) if kind == 'markdown')
def is_exported(source): return bool(directives(source) & {'export', 'exports', 'exporti'})
def length(source): return sum(bool(l.strip()) and not l.startswith('#|') for l in source.split('\n'))

@each_chapter
def test_prose_stands_between_code(name):
    run = 0
    for i, (kind, _, _) in enumerate(cells(name)):
        run = run + 1 if kind == 'code' else 0
        assert run <= 2, f'cell {i} is the third code cell in a row'

def test_the_book_is_read_as_much_as_run():
    kinds = [kind for n in chapters for kind, *_ in cells(n)]
    assert .8 <= kinds.count('markdown')/kinds.count('code') <= 1.3

def test_exported_cells_are_short():
    lines = sorted(length(source) for n in chapters for kind, source, _ in cells(n) if kind == 'code' and is_exported(source))
    assert lines[len(lines)//2] <= 12 and lines[int(.9*len(lines))] <= 20, (lines[len(lines)//2], lines[int(.9*len(lines))])

def test_definitions_are_shown_at_work():
    "Nine in ten public definitions are used within three cells of code after the one that exports them."
    missing, total = [], 0
    for n in chapters:
        code = [source for kind, source, _ in cells(n) if kind == 'code']
        for i, source in enumerate(code):
            if not is_exported(source): continue
            for d in ast.parse(lone_python(source)).body:
                if not isinstance(d, (ast.FunctionDef, ast.ClassDef)) or d.name.startswith('_') or d.name == 'forward': continue
                total += 1
                if not any(re.search(rf'\b{d.name}\b', s) for s in [source.replace(d.name, '', 1), *code[i+1:i+4]]): missing.append(f'{n}: {d.name}')
    assert len(missing) <= .1*total, missing

@pytest.mark.parametrize('name', lessons)
def test_exercises_have_minutes_a_stub_a_checker_and_a_solution(name):
    minutes = len(re.findall(r'\*\(\d+ minutes?(?:, (?:easy|medium|hard))?\)\*', prose(name)))
    stubs = [s for kind, s, _ in cells(name) if kind == 'code' and re.search(r'^#\|\s*eval:\s*false', s, re.M) and 'check_' in s]
    solved = [s for kind, s, meta in cells(name) if kind == 'code' and 'code-fold' in directives(s) and 'check_' in s and meta.get('jupyter', {}).get('source_hidden')]
    assert 2 <= minutes <= 6 and len(stubs) == len(solved) == minutes, (minutes, len(stubs), len(solved))
    asked = lambda s: set(re.findall(r'check_\w+', s))
    for stub, solution in zip(stubs, solved): assert asked(stub) & asked(solution), f'{asked(stub)} is not solved by the cell after it'

@each_chapter
def test_stubs_can_be_run(name):
    "Run All must not stop at an exercise that nobody has done yet: a stub's checker gives a hint instead."
    for kind, s, _ in cells(name):
        if kind != 'code' or not re.search(r'^#\|\s*eval:\s*false', s, re.M) or 'colab' in s: continue
        for node in ast.walk(ast.parse(lone_python(s))):
            used = isinstance(node, ast.Call) and any(isinstance(a, ast.Constant) and a.value is ... for a in node.args)
            assert not used or getattr(node.func, 'id', '').startswith('check_'), f'a stub calls something with ...: {ast.unparse(node)}'

@pytest.mark.parametrize('name', interactive)
def test_interactive_widgets_have_static_versions(name):
    "The site has no Python behind it: the function behind a widget is also shown as an animation, or as a figure."
    code = '\n'.join(s for kind, s, _ in cells(name) if kind == 'code')
    drawn = re.findall(r'^interact\((\w+)', code, re.M)
    assert drawn, 'no widget'
    for draw in drawn: assert re.search(rf'animate\({draw}\b', code) or len(re.findall(rf'\b{draw}\(', code)) >= 2, f'{draw} has no static version'

@each_chapter
def test_opening_says_how_long_it_takes(name):
    assert re.search(r'^\*\*Time\*\*: \d+ s at full size, \d+ s at the size of the tests', prose(name), re.M), 'make execute fills in the line **Time**'

@each_chapter
def test_opens_in_colab(name):
    from configparser import ConfigParser
    meta = ConfigParser(delimiters=['=']); meta.read(root/'settings.ini'); meta = meta['DEFAULT']
    url, page = f"{meta['user']}/{meta['repo']}", f"blob/{meta['branch']}/nbs/{name}"
    assert f'https://colab.research.google.com/github/{url}/{page}' in prose(name)
    assert any(f'https://github.com/{url}' in s and 'colab' in s and {'hide', 'eval'} <= directives(s) for kind, s, _ in cells(name) if kind == 'code')

@each_page
def test_needs_no_script(name):
    for kind, source, _ in cells(name):
        if kind == 'markdown': assert not re.search(r'<(script|iframe|style)\b', source), 'raw HTML that not every reader can see'

# the words of the field, and what every chapter has

PRIVATE = (r'dream\w*|wander\w*|guesser\w*|sleeper\w*|sharp-sighted|dials?|medicine|curtain|shaken|alert agent\w*|hills|on foot|crow|'
           r'one bag|films?|lazy model\w*|keep gate\w*|carpet\w*|hollows?|funnels?|illness|cures?|luck')

def captions(source): return re.findall(r'^#\|\s*(?:fig|tbl)-(?:cap|alt):\s*(.*)$', source, re.M)

def private_words(text):
    "What isn't the field's word; quotations, code and links aside."
    text = re.sub(r'```.*?```|`[^`]*`|“[^”]*”|"[^"]*"|\]\([^)]*\)', ' ', text, flags=re.S)
    return re.findall(rf'\b(?:{PRIVATE})\b', text, re.I)

@each_page
def test_pages_speak_the_language_of_the_field(name):
    texts = [prose(name), *(re.sub(r'^"|"$', '', c) for kind, s, _ in cells(name) if kind == 'code' for c in captions(s))]
    assert not [w for t in texts for w in private_words(t)]

def test_so_do_the_readme_and_the_sidebar():
    for file in (root/'README.md', nbs/'sidebar.yml', nbs/'404.qmd'): assert not private_words(file.read_text(encoding='utf-8')), file
    assert private_words('It dreams of a hollow, and a `dream` of "films".') == ['dreams', 'hollow']

@pytest.mark.parametrize('name', [n for n in numbered if '/' in n])
def test_a_chapter_has_its_parts_and_its_size(name):
    text = prose(name)
    words = re.sub(r'\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)', ' ', text, flags=re.S).split()
    assert len(cells(name)) <= 80 and len(words) <= 2500, (len(cells(name)), len(words))
    for part in ('**Learning objectives.**', '**Reading time**', '**In the literature**', '## Summary'): assert text.count(part) == 1, part
    objectives = re.search(r'\*\*Learning objectives\.\*\*.*?\n\n((?:- .*\n?)+)', text)
    assert objectives and 2 <= len(objectives[1].strip().split('\n')) <= 4
    assert any(captions(s) for kind, s, _ in cells(name) if kind == 'code'), 'no figure or table'

@pytest.mark.parametrize('name', [n for n in numbered if '1' <= n[0] <= '6'])
def test_readers_predict_before_they_see(name):
    asked = r'\*\*A prediction\*\*|before you (run|look|read|scroll|move)|guess (first|before)|what do you expect|write down|predict (first|before)'
    assert re.search(asked, prose(name), re.I)

def test_what_readers_must_not_miss_is_there():
    "The animations, parts and formulas that the book is built around."
    def shown(name, *words):
        sources = [s for kind, s, _ in cells(name) if kind == 'code' and any('image/gif' in kinds(o) for _, t, out in code(name) if t == s for o in out)]
        assert any(all(w in ' '.join(captions(s)) for w in words) for s in sources), f'{name} has no animation with {words}'
    shown('5_planning/19_episodes.ipynb', 'First row: fixed wall', 'Second and third row: random walls')
    shown('4_training/13_unrolling.ipynb', 'Four trajectories of 90 actions', 'GT', 'Dec GT', 'GT Act')
    shown('00_first_look.ipynb', 'without inverse dynamics')
    for name, part in {'3_losses/10_objective.ipynb': 'class Projector', '2_model/05_jepa.ipynb': 'action_encoder: nn.Module | None',
                       '2_model/04_predictor.ipynb': 'num_layers: int = 1'}.items():
        assert any(part in s for kind, s, _ in cells(name) if kind == 'code'), f'{name} lacks {part}'
    total = r'\mathcal{L}_{\mathrm{pred}} + \beta\mathcal{L}_{\mathrm{cov}} + \alpha\mathcal{L}_{\mathrm{var}} + \delta\mathcal{L}_{\mathrm{time\text{-}sim}} + \omega\mathcal{L}_{\mathrm{IDM}}'
    assert total in prose('4_training/12_training.ipynb') or total in prose('3_losses/10_objective.ipynb')
    assert any('bands of one standard deviation' in c for _, s, _ in cells('6_results/24_sweeps.ipynb') for c in captions(s))
    for name in ('5_planning/16_cem.ipynb', '5_planning/17_mppi.ipynb'): assert re.search(r'pseudocode', prose(name), re.I), name
    for picture in ('gru_cell.svg', 'impala_stage.svg'): assert any(picture in prose(n) for n in numbered), picture

def test_the_map_of_the_house_is_true():
    "CONTRIBUTING.md names pages and modules that exist and belong together, every module of the package, and every folder."
    text = (root/'CONTRIBUTING.md').read_text(encoding='utf-8')
    rows = re.findall(r'^\| [^|]+ \| `([\w/]+)` \| (?:`([\w/*]+)` )?\|$', text, re.M)
    modules = {f.relative_to(package).with_suffix('').as_posix() for f in package.rglob('*.py') if f.stem not in ('__init__', '_modidx')}
    for page, module in rows:
        assert f'{page}.ipynb' in pages, f'no page {page}'
        assert module in modules or not module or module.endswith('/*') and {m for m in modules if Path(m).parent == Path(module).parent}, f'no module {module}'
        if module in modules: assert module_of(f'{page}.ipynb') == module.replace('/', '.'), f'{page} exports into another module than {module}'
    told = {m for m in modules for _, row in rows if m == row or row.endswith('/*') and Path(m).parent == Path(row).parent}
    assert len(rows) > 30 and told == modules, f'not in the table: {sorted(modules - told)}'
    picture = re.search(r'(?:^    .*\n)+', text[text.index('## Where things are'):], re.M)[0]
    named = set(re.findall(r'\b[\w/]+/(?= |$)', picture, re.M))
    for folder in named: assert any((root/place/folder).is_dir() for place in ('', 'nbs', 'jepa_tutorial')), f'no folder {folder}'
    here = {p for p in nbs.iterdir() if p.is_dir() and p.name[0] not in '._' and p.name != 'media'} | {p for p in package.iterdir() if p.is_dir() and p.name[0] not in '._'}
    assert {f'{p.name}/' for p in here} <= named, 'a folder is missing in the picture'
    for target in re.findall(r'`make ([\w-]+)', text): assert re.search(rf'^{target}:', (root/'Makefile').read_text(), re.M), f'no make target {target}'
    for link in re.findall(r'\]\((?!https?:)([^)#]+)\)', text) + re.findall(r'`(?:python )?((?:scripts|tests|nbs)/[\w/.]+\w)`', text): assert (root/link).exists(), link

def promises():
    "The tests that carry a promise, and its words."
    for path in sorted(Path(__file__).parent.glob('test_*.py')):
        for f in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            for d in getattr(f, 'decorator_list', []):
                if ast.unparse(d).startswith('pytest.mark.promise('): yield f'tests/{path.name}::{f.name}', ast.literal_eval(d.args[0])

def test_every_promise_is_on_its_page():
    "The page of promises is drawn from the file of the last full run, which knows every test that carries one."
    told = {k: r['promise'] for k, r in json.loads((package/'results'/'soak.json').read_text(encoding='utf-8')).items()}
    assert told == dict(promises()), 'run `make soak` and `make execute NB=promises`'
    shown = '\n'.join(''.join(o['data'].get('text/markdown', '')) for _, _, outputs in code('appendix/promises.ipynb') for o in outputs if 'data' in o)
    for test, text in told.items(): assert text in shown and f"`{Path(test.split('::')[0]).stem}::{test.split('::')[1]}`" in shown, test
