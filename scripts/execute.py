"""Run notebooks at their real size, in the book's order, and store what they show.

Each page is run at the size of the tests first; its line **Time** then says how long both took.

python scripts/execute.py                  all of them: numbered pages in order, the appendix, the index
python scripts/execute.py 06 07            those whose name starts so
python scripts/execute.py checks files     the same, by their names"""
import base64, io, os, platform, re, subprocess, sys, time
from pathlib import Path
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

root = Path(__file__).resolve().parent.parent
shown = ('text/plain', 'text/markdown', 'text/latex', 'image/svg+xml', 'image/png', 'image/gif')

def pages(prefixes):
    found = [p for p in (root/'nbs').glob('**/*.ipynb') if not any(d[0] in '._' for d in p.relative_to(root).parts)]
    found.sort(key=lambda p: (p.stem == 'index', not p.stem[:2].isdigit(), p.stem if p.stem[:2].isdigit() else p.as_posix()))
    return [p for p in found if not prefixes or p.stem.startswith(tuple(prefixes))]

class Client(NotebookClient):
    async def async_execute_cell(self, cell, *args, **kwargs):
        "Exercise stubs stay unrun, as in nbdev_test."
        if cell.cell_type == 'code' and '#| eval: false' in cell.source:
            cell.outputs = []
            return cell
        return await super().async_execute_cell(cell, *args, **kwargs)

def compact(png):
    "A PNG in base64 with a palette of 256 colours, a third of the size; no colour is off by more than a few levels."
    picture, out = Image.open(io.BytesIO(base64.b64decode(png))), io.BytesIO()
    if picture.mode == 'P': return png
    picture.convert('RGB').quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(out, 'PNG', optimize=True)
    return base64.b64encode(out.getvalue()).decode() + '\n'

def keep(outputs):
    "Text and pictures; nothing that needs a live kernel or a browser's help, nor warnings."
    outputs = [o for o in outputs if 'application/vnd.jupyter.widget-view+json' not in o.get('data', {})]
    for o in outputs:
        if o.output_type == 'stream' and o.name == 'stderr': print('   not stored:', o.text.strip()[:200])
        for k in [k for k in o.get('data', {}) if k not in shown]: del o.data[k]
        if 'image/png' in o.get('data', {}): o.data['image/png'] = compact(o.data['image/png'])
        if 'metadata' in o: o.metadata = {}
    return [o for o in outputs if o.get('data') or o.output_type == 'error' or o.get('name') == 'stdout']

def run(nb, folder, small=False):
    "Execute `nb`, at the size of the tests if `small`, and return the seconds it took."
    os.environ['IN_TEST'] = '1' if small else ''
    start = time.perf_counter()
    Client(nb, timeout=None, kernel_name='python3', record_timing=False, resources={'metadata': {'path': str(folder)}}).execute()
    nb.metadata.pop('widgets', None)   # nbclient keeps their state, and needs it for what is printed inside of a widget
    return time.perf_counter() - start

def processor():
    "The name of this machine's processor."
    lines = Path('/proc/cpuinfo').read_text().split('\n') if Path('/proc/cpuinfo').exists() else []
    return next((l.split(':')[1].strip() for l in lines if l.startswith('model name')), platform.processor() or platform.machine())

def stamp(nb, real, small):
    "Write both times into the page's opening."
    line = f'**Time**: {real:.0f} s at full size, {small:.0f} s at the size of the tests ({os.cpu_count()} cores of an {processor()}).'
    for c in nb.cells:
        if c.cell_type == 'markdown': c.source = re.sub(r'^\*\*Time\*\*: .*$', line, c.source, flags=re.M)

def execute(path):
    nb = nbformat.read(path, as_version=4)
    timed = any(c.cell_type == 'markdown' and '**Time**:' in c.source for c in nb.cells)
    small = run(nbformat.from_dict(nb), path.parent, small=True) if timed else 0
    stamp(nb, run(nb, path.parent), small)
    for c in nb.cells:
        if c.cell_type == 'code': c.outputs = keep(c.outputs)
    nbformat.write(nb, path)
    subprocess.run([Path(sys.executable).parent/'nbdev_clean', '--fname', path], cwd=root, check=True)

def main(prefixes):
    found, failed = pages(prefixes), []
    if not found: sys.exit(f"no notebook starts with {' or '.join(prefixes)}")
    for p in found:
        start = time.perf_counter()
        try: execute(p)
        except CellExecutionError as e: failed.append(p.stem); print(str(e)[-2000:], file=sys.stderr)
        print(f'{p.stem:28}{time.perf_counter() - start:6.1f} s{"  FAILED" if p.stem in failed else ""}', flush=True)
    if failed: sys.exit(f"failed, and left as they were: {', '.join(failed)}")

if __name__ == '__main__': main(sys.argv[1:])
