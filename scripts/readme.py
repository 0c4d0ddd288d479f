"README.md from nbs/index.ipynb: `python scripts/readme.py`, or `--check` to compare only."
import re, sys
from configparser import ConfigParser
from pathlib import Path
import nbformat

root = Path(__file__).resolve().parent.parent
source, target = root/'nbs/index.ipynb', root/'README.md'
settings = ConfigParser(delimiters=['=']); settings.read(root/'settings.ini', encoding='utf-8')
site = settings['DEFAULT']['doc_host'] + settings['DEFAULT']['doc_baseurl']
directive = re.compile(r'^#\|\s*([\w-]+)\s*:?\s*(.*)$')

def split(cell):
    "The directives of a code cell, and its source without them."
    lines = cell.source.split('\n')
    n = next((i for i, l in enumerate(lines) if not directive.match(l)), len(lines))
    found = dict(directive.match(l).groups() for l in lines[:n])
    return found, '\n'.join(lines[n:]).strip('\n')

def from_root(link):
    "A link that holds in nbs/, as it is seen from the project's folder."
    if re.match(r'[a-z]+:|[#/]', link): return link
    if link.endswith('.qmd'): return f"{site}/{link.removesuffix('.qmd')}.html"   # a page that runs on the site only
    return Path(f'nbs/{link}').as_posix() if not link.startswith('../') else link.removeprefix('../')

def markdown(text):
    "Quarto's markdown as plain markdown: no attributes, no divs, links as seen from the project's folder."
    parts = re.split(r'(^```.*?^```[^\n]*$|`[^`\n]+`)', text, flags=re.M | re.S)   # leave code as it is
    for i in range(0, len(parts), 2):
        p = re.sub(r'^:::.*\n?', '', parts[i], flags=re.M)
        p = re.sub(r' \[@[^\]]*\]', '', p)                             # a README has no list of references
        p = re.sub(r'(\]\([^)\s]+\))\{[^}\n]*\}', r'\1', p)
        p = re.sub(r'\]\(([^)\s]+)', lambda m: '](' + from_root(m[1]), p)
        parts[i] = re.sub(r'(<img[^>]*\ssrc=")([^"]+)', lambda m: m[1] + from_root(m[2]), p)
    return ''.join(parts)

def block(text, lang=''): return f'```{lang}\n{text.rstrip()}\n```'

def shown(output):
    "One output as markdown; a README has no place for pictures that live inside a notebook."
    data = output.get('data', {})
    if output.output_type == 'error' or any(k.startswith('image/') for k in data):
        sys.exit('nbs/index.ipynb: a cell outputs a picture or an error; write pictures to nbs/media and show them with ![](media/...)')
    if 'text/markdown' in data: return markdown(data['text/markdown'])
    text = output.get('text', '') if output.get('name') != 'stderr' else ''
    text = data.get('text/plain', text)
    return block(text) if text.strip() else ''

def from_code(cell):
    "What a reader of the page sees of a code cell."
    found, code = split(cell)
    if {'hide', 'default_exp'} & found.keys() or found.get('include') == 'false': return []
    parts = [block(code, 'python')] if code and found.get('echo') != 'false' else []
    return parts + ([shown(o) for o in cell.outputs] if found.get('output') != 'false' else [])

def readme():
    parts = []
    for c in nbformat.read(source, as_version=4).cells:
        if c.cell_type == 'markdown': parts.append(markdown(c.source))
        elif c.cell_type == 'code': parts += from_code(c)
    text = '\n\n'.join(p.strip('\n') for p in parts if p.strip())
    return re.sub(r'\n{3,}', '\n\n', text) + '\n'

if __name__ == '__main__':
    text = readme()
    if '--check' not in sys.argv: target.write_text(text, encoding='utf-8')
    elif not target.exists() or target.read_text(encoding='utf-8') != text: sys.exit('README.md is stale: make readme')
