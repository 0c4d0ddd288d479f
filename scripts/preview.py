"""The site's pages as plain HTML, without Quarto: python scripts/preview.py FOLDER [19 notation ...]

Processed as nbdev does it for Quarto, then put together by pandoc (2.17 or newer) with the site's own colours, styles, formulas and references.
It has neither sidebar nor search; it is for looking at pages, and for tests/test_html.py."""
import base64, html, json, re, shutil, subprocess, sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent
nbs = root/'nbs'
WORDS = dict(fig='Figure', eq='Equation', tbl='Table', sec='Section')
KINDS = {'image/svg+xml': 'svg', 'image/png': 'png', 'image/gif': 'gif'}

def colours(theme):
    "The variables of a theme: `$body-bg: #fff;` is body-bg."
    text = (nbs/f'theme-{theme}.scss').read_text(encoding='utf-8')
    return dict(re.findall(r'^\$([\w-]+):\s*([^;]+);', text, re.M))

def styles():
    "The site's style sheet on top of a plain one in the themes' colours."
    rules = [':root { color-scheme: light dark } body { margin: 0; line-height: 1.5 } main { max-width: 800px; margin: 0 auto; padding: 1rem } * { box-sizing: border-box }',
             'pre { padding: .6em; border-radius: 4px } code { font-size: .875em; border-radius: 3px } pre code { font-size: inherit } figure { margin: 1.2em 0 } td, th { padding: .25em .5em; text-align: left; vertical-align: top } .csl-left-margin { float: left; margin-right: .5em } .csl-entry { clear: left }']
    for theme in ('light', 'dark'):
        c, on = colours(theme), f'.quarto-{theme}'
        rules.append(f'body{on} {{ background: {c["body-bg"]}; color: {c["body-color"]}; font-family: {c["font-family-sans-serif"]} }} {on} a {{ color: {c["link-color"]} }} '
                     f'{on} code {{ color: {c["code-color"]}; background: {c["code-bg"]} }} {on} pre {{ background: {c["code-block-bg"]} }} {on} pre code {{ color: inherit; background: none }} '
                     f'{on} figcaption, {on} .description {{ color: {c["text-muted"]} }} {on} a code {{ color: inherit }}')
    return '\n'.join(rules) + (nbs/'styles.css').read_text(encoding='utf-8')

def directives(source):
    "A code cell's directives, and its source without them."
    lines = source.split('\n')
    n = next((i for i, l in enumerate(lines) if not l.startswith('#|')), len(lines))
    return {k: v.strip().strip('"') for k, v in re.findall(r'^#\|\s*([\w-]+):\s*(.*)$', '\n'.join(lines[:n]), re.M)}, '\n'.join(lines[n:]).strip('\n')

class Page:
    "One notebook on its way to HTML."
    def __init__(self, source, target):
        self.source, self.target, self.numbers, self.pictures = source, target, {}, 0
        self.nb = json.loads(source.read_text(encoding='utf-8'))

    def number(self, label):
        kind = label.split('-')[0]
        return self.numbers.setdefault(label, 1 + sum(l.startswith(kind) for l in self.numbers))

    def picture(self, data, kind):
        "Write an output to a file of its own, and return its name."
        self.pictures += 1
        name = f'{self.target.stem}-{self.pictures}.{KINDS[kind]}'
        data = ''.join(data)
        (self.target.parent/name).write_bytes(data.encode() if kind == 'image/svg+xml' else base64.b64decode(data))
        return name

    def output(self, o, d):
        data = o.get('data', {})
        kind = next((k for k in KINDS if k in data), None)
        if kind:
            img = f'<img src="{self.picture(data[kind], kind)}" alt="{html.escape(d.get("fig-alt", ""))}">'
            label = d.get('label', '')
            caption = f'\n<figcaption>\n\n{WORDS["fig"]} {self.number(label)}: {d["fig-cap"]}\n\n</figcaption>' if 'fig-cap' in d else ''
            return f'<figure id="{label}" class="cell-output-display">{img}{caption}</figure>'
        text = ''.join(data.get('text/markdown', '')) or ''.join(data.get('text/latex', ''))
        if text: return text
        return '::: {.cell-output-stdout}\n~~~~\n' + ''.join(o.get('text', data.get('text/plain', ''))).rstrip() + '\n~~~~\n:::'

    def code(self, cell):
        d, source = directives(''.join(cell['source']))
        parts = []
        if d.get('include') == 'false': return parts
        if source and d.get('echo') != 'false':
            block = f'~~~~python\n{source}\n~~~~'
            fold = d.get('code-fold', 'false')
            if fold != 'false': block = f'<details class="code-fold"{" open" if fold == "show" else ""}><summary>{d.get("code-summary", "Code")}</summary>\n\n{block}\n\n</details>'
            parts.append(block)
        return parts + ([self.output(o, d) for o in cell.get('outputs', [])] if d.get('output') != 'false' else [])

    def markdown(self):
        "The whole page in pandoc's markdown, with figures, equations and references numbered."
        parts = []
        for c in self.nb['cells']:
            if c['cell_type'] == 'code': parts += self.code(c)
            else: parts.append(''.join(c['source']))
        chunks = re.split(r'(^(?:~~~~|```).*?^(?:~~~~|```)\s*$|`[^`\n]+`)', '\n\n'.join(parts), flags=re.M | re.S)   # code stays as it is
        for i in range(0, len(chunks), 2):
            chunks[i] = re.sub(r'\$\$(.+?)\$\$\s*\{#(eq-[\w-]+)\}', lambda m: f'[$${m[1].strip()} \\qquad({self.number(m[2])})$$]{{#{m[2]}}}', chunks[i], flags=re.S)
            chunks[i] = re.sub(r'(^: .*)\{#(tbl-[\w-]+)\}', lambda m: f'{m[1]}', chunks[i], flags=re.M)
        for i in range(0, len(chunks), 2):
            chunks[i] = re.sub(r'(?<![\w\[;-])@((fig|eq|tbl|sec)-[\w-]+)', lambda m: f'[{WORDS[m[2]]} {self.number(m[1])}](#{m[1]})', chunks[i])
            chunks[i] = re.sub(r'fig-alt=', 'alt=', chunks[i])
        return ''.join(chunks)

    def render(self):
        text = self.markdown()
        title, about = (re.search(rf'^{k}: (.*)$', text, re.M) for k in ('title', 'description'))
        text = re.sub(r'\A\s*---.*?^---$', '', text, count=1, flags=re.M | re.S)
        done = subprocess.run(['pandoc', '-f', 'markdown-implicit_figures+tex_math_dollars', '-t', 'html5', '--mathml', '--citeproc', '--no-highlight', '--wrap=none',
                               f'--bibliography={nbs}/references.bib', f'--csl={nbs}/numbered.csl', '-M', 'link-citations=true', '-M', 'lang=en'],
                              input=text, capture_output=True, text=True, check=True)
        if done.stderr.strip(): raise SystemExit(f'{self.source.name}: {done.stderr.strip()}')
        clean = lambda m: html.escape(m[1].strip('"\'')) if m else ''
        css = '../'*len(self.target.parent.relative_to(self.top).parts) + 'preview.css'
        self.target.write_text(f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{clean(title)}</title>'
                               f'<link rel="stylesheet" href="{css}"></head><body class="quarto-light"><main><h1>{clean(title)}</h1><p class="description">{clean(about)}</p>\n{done.stdout}</main></body></html>', encoding='utf-8')

class Text(Page):
    "A page that is no notebook: Markdown, with raw HTML for pandoc to keep."
    def __init__(self, source, target): self.source, self.target, self.numbers = source, target, {}
    def markdown(self): return self.source.read_text(encoding='utf-8')

def preview_texts(out, prefixes=()):
    "Write the pages of `nbs` that are Markdown (.qmd) into `out`, and return their files."
    Page.top, done = Path(out), []
    (Page.top/'preview.css').write_text(styles(), encoding='utf-8')
    for path in sorted(nbs.glob('[0-9]*/*.qmd')):
        if prefixes and not path.stem.startswith(tuple(prefixes)): continue
        target = (Page.top/path.relative_to(nbs)).with_suffix('.html'); target.parent.mkdir(parents=True, exist_ok=True)
        Text(path, target).render(); done.append(target)
    return done

def preview(out, prefixes=()):
    "Write the pages whose names start so into `out`, and return their files."
    from nbdev.serve import proc_nbs
    processed, out = proc_nbs(str(nbs), n_workers=2, force=True), Path(out)   # whatever an earlier run left is old
    shutil.copytree(nbs/'media', out/'media', dirs_exist_ok=True)
    for f in processed.glob('**/animations'): shutil.copytree(f, out/f.relative_to(processed), dirs_exist_ok=True)
    (out/'preview.css').write_text(styles(), encoding='utf-8')
    Page.top, done = out, []
    for path in sorted(processed.glob('**/*.ipynb')):
        where = path.relative_to(processed)
        if prefixes and not path.stem.startswith(tuple(prefixes)) or not (nbs/where).exists(): continue
        target = (out/where).with_suffix('.html'); target.parent.mkdir(parents=True, exist_ok=True)
        Page(path, target).render(); done.append(target)
    shutil.copytree(nbs/'7_play/browser', out/'7_play/browser', dirs_exist_ok=True)
    return done + preview_texts(out, prefixes)

if __name__ == '__main__':
    if len(sys.argv) < 2 or not shutil.which('pandoc'): sys.exit(__doc__ if len(sys.argv) < 2 else 'scripts/preview.py needs pandoc')
    for f in preview(sys.argv[1], sys.argv[2:]): print(f)
