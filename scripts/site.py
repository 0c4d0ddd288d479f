"""The rendered site: put the notebooks beside its pages, and refuse what a reader would stumble over.

python scripts/site.py _docs"""
import re, shutil, sys
from configparser import ConfigParser
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

root = Path(__file__).resolve().parent.parent
settings = ConfigParser(delimiters=['=']); settings.read(root/'settings.ini', encoding='utf-8')
HOME = '{doc_host}{doc_baseurl}'.format(**settings['DEFAULT'])   # where the site will be
BASE = settings['DEFAULT']['doc_baseurl']
CARD = f'{HOME}/media/card.png'
PAGE, SITE = 3_000_000, 60_000_000   # bytes
SAID = {'.gif>': 'an animation that is missing', '?@': 'a reference that leads nowhere', '$$': 'a formula that was not understood',
        '](http': 'a link that was not understood', 'Call self as a function': 'documentation of nothing', ':::': 'a block that was not understood'}
LOADS = dict(script='src', img='src', iframe='src', source='src', video='src', audio='src', embed='src', object='data', track='src')

class Page(HTMLParser):
    "What a page loads to be shown, says, and links to; its places, and its pictures without a description."
    def __init__(self, text):
        super().__init__()
        self.found, self.mute, self.links, self.places, self.cards, self.words, self.inside = [], [], [], set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        if tag in ('pre', 'code', 'script', 'style', 'annotation'): self.inside.append(tag)
        if 'id' in a: self.places.add(a['id'])
        if tag == 'a' and a.get('href'): self.links.append(a['href'])
        if tag == 'meta' and a.get('property', a.get('name')) in ('og:image', 'twitter:image'): self.cards.append(a.get('content'))
        if a.get(LOADS.get(tag)): self.found.append(a[LOADS[tag]])
        if a.get('srcset'): self.found += [s.split()[0] for s in a['srcset'].split(',') if s.strip()]
        if tag == 'link' and a.get('rel') in ('stylesheet', 'preload', 'icon', 'modulepreload', 'preconnect', 'dns-prefetch') and a.get('href'): self.found.append(a['href'])
        if tag == 'img' and not (a.get('alt') or '').strip() and a.get('role') != 'presentation': self.mute.append(a.get('src', '')[:60])
        self.found += sheets(a.get('style', ''))

    def handle_endtag(self, tag):
        if self.inside and tag == self.inside[-1]: self.inside.pop()

    def handle_data(self, data):
        if self.inside[-1:] == ['style']: self.found += sheets(data)
        # the description of a missing picture stands in a block of code; nothing else in code is looked at
        if not self.inside or re.fullmatch(r'\s*<[\w.-]+\.gif>\s*', data): self.words.append(data)

def is_foreign(link): return bool(re.match(r'(https?:)?//', link))

def sheets(text): return re.findall(r'(?:@import\s*(?:url\()?|url\()\s*["\']?((?:https?:)?//[^"\')\s]+)', text or '')

def weight(page, loads):
    "Bytes of a page with the pictures that only it shows."
    own = {(page.parent/l.split('?')[0]).resolve() for l in loads if not is_foreign(l) and not l.startswith('data:')}
    return page.stat().st_size + sum(f.stat().st_size for f in own if f.is_file() and 'site_libs' not in f.parts)

def target(docs, page, link):
    "The file of the site that a link leads to, and the place in it; nothing for other hosts."
    if link.startswith(HOME): link = link.removeprefix(HOME) or '/'
    elif re.match(r'[a-z]+:|//', link): return
    link, _, place = link.partition('#')
    link = unquote(link.split('?')[0])
    at = docs/link.removeprefix(BASE).lstrip('/') if link.startswith('/') else page.parent/link if link else page
    return (at/'index.html' if at.is_dir() else at).resolve(), unquote(place)

def lost(docs, pages):
    "Links within the site that lead nowhere."
    places = {f.resolve(): p.places for f, p in pages.items()}
    for page, p in pages.items():
        for link in dict.fromkeys(p.links):
            if not (to := target(docs, page, link)): continue
            file, place = to
            if not file.is_file(): yield f'{page.relative_to(docs)} links to {link}: there is no such file'
            elif place and file in places and place not in places[file] and place != 'top': yield f'{page.relative_to(docs)} links to {link}: there is no such place'

def faults(docs):
    "Everything that is wrong with the site in a folder."
    docs, found = Path(docs), []
    pages = {f: Page(f.read_text(encoding='utf-8')) for f in sorted(docs.glob('**/*.html')) if 'site_libs' not in f.parts}
    for page, p in pages.items():
        name, words = page.relative_to(docs), ' '.join(p.words)
        found += [f'{name} loads {l}: nothing may come from another host' for l in p.found if is_foreign(l) and not l.startswith(HOME)]
        found += [f'{name} shows {src} without alternative text' for src in p.mute]
        found += [f'{name} says {s}: {what}: …{words[max(0, words.index(s) - 60):words.index(s) + 60]}…' for s, what in SAID.items() if s in words]
        found += [f'{name} has the card {c}, not {CARD}' for c in p.cards or ['(none)'] if c != CARD and page.name != '404.html']
        if (n := weight(page, p.found)) > PAGE: found.append(f'{name} weighs {n/1e6:.1f} MB, more than {PAGE/1e6:.0f}')
    found += lost(docs, pages)
    for sheet in sorted(docs.glob('**/*.css')):
        found += [f'{sheet.relative_to(docs)} loads {l}: nothing may come from another host' for l in sheets(sheet.read_text(encoding='utf-8'))]
    if (n := sum(f.stat().st_size for f in docs.rglob('*') if f.is_file())) > SITE: found.append(f'the site weighs {n/1e6:.0f} MB, more than {SITE/1e6:.0f}')
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
    print(f'{len(list(Path(sys.argv[1]).glob("**/*.html")))} pages, nothing from another host, no link to nowhere')
