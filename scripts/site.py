"""The rendered site: put the notebooks beside its pages, and refuse what a reader shouldn't have to load.

python scripts/site.py _docs"""
import re, shutil, sys
from html.parser import HTMLParser
from pathlib import Path

root = Path(__file__).resolve().parent.parent
PAGE, SITE = 3_000_000, 60_000_000   # bytes

class Loads(HTMLParser):
    "What a page loads to be shown, and its pictures without a description."
    def __init__(self, text):
        super().__init__()
        self.found, self.mute = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        if tag in ('script', 'img', 'iframe', 'source', 'video', 'audio') and a.get('src'): self.found.append(a['src'])
        if tag == 'link' and a.get('rel') in ('stylesheet', 'preload', 'icon', 'modulepreload') and a.get('href'): self.found.append(a['href'])
        if tag == 'img' and not (a.get('alt') or '').strip(): self.mute.append(a.get('src', '')[:60])

def is_foreign(link): return bool(re.match(r'(https?:)?//', link))

def weight(page, loads):
    "Bytes of a page with the pictures that only it shows."
    own = {(page.parent/l.split('?')[0]).resolve() for l in loads if not is_foreign(l) and not l.startswith('data:')}
    return page.stat().st_size + sum(f.stat().st_size for f in own if f.is_file() and 'site_libs' not in f.parts)

def faults(docs):
    "Everything that is wrong with the site in a folder."
    found = []
    for page in sorted(Path(docs).glob('**/*.html')):
        loads, name = Loads(page.read_text(encoding='utf-8')), page.relative_to(docs)
        found += [f'{name} loads {l}: nothing may come from another host' for l in loads.found if is_foreign(l)]
        found += [f'{name} shows {src} without alternative text' for src in loads.mute]
        if (n := weight(page, loads.found)) > PAGE: found.append(f'{name} weighs {n/1e6:.1f} MB, more than {PAGE/1e6:.0f}')
    for sheet in sorted(Path(docs).glob('**/*.css')):
        for l in re.findall(r'(?:@import\s*(?:url\()?|url\()\s*["\']?((?:https?:)?//[^"\')\s]+)', sheet.read_text(encoding='utf-8')):
            found.append(f'{sheet.relative_to(docs)} loads {l}: nothing may come from another host')
    if (n := sum(f.stat().st_size for f in Path(docs).rglob('*') if f.is_file())) > SITE: found.append(f'the site weighs {n/1e6:.0f} MB, more than {SITE/1e6:.0f}')
    return found

def add_notebooks(docs):
    "Copy the notebooks to where the pages' download buttons point."
    for f in (root/'nbs').glob('**/*.ipynb'):
        where = f.relative_to(root/'nbs')
        if any(p[0] in '._' for p in where.parts): continue
        target = Path(docs)/'notebooks'/where
        target.parent.mkdir(parents=True, exist_ok=True); shutil.copy(f, target)

if __name__ == '__main__':
    if len(sys.argv) != 2 or not Path(sys.argv[1], 'index.html').exists(): sys.exit('usage: python scripts/site.py FOLDER, where FOLDER holds a rendered site (_docs)')
    add_notebooks(sys.argv[1])
    if found := faults(sys.argv[1]): sys.exit('\n'.join(found))
    print(f'{len(list(Path(sys.argv[1]).glob("**/*.html")))} pages, nothing from another host')
