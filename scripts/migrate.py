"""Results and cards of the first edition, in the names of the second: `python scripts/migrate.py [FOLDER]`.

FOLDER is a package folder, with `results` and `weights` in it; default this package's. Nothing is computed:
keys, planners' names and file names change, and a card's fingerprint, which is a hash of what it says, is made anew.
What has the new names already stays as it is."""
import hashlib, json, sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root))

KEYS = dict(back='epochs_back', walls='eval_world', inside='embedding', behaviour='code_digest')
PLANNERS = dict(alert='stuck_noise', memory='revisit', no_fresh='no_exploration', white_fresh='white_exploration',
                no_keep='no_kept_elites', carried_elites='shifted_elites')
REFINED = dict(films='clips')
BUDGETS = dict(laptop='dense')   # of rows that don't say their preset

def renamed(d: dict, names: dict) -> dict:
    "The same values under new names, in the same order."
    return {names.get(k, k): v for k, v in d.items()}

def result(r: dict) -> dict:
    "A row of the results, or a baseline."
    r = renamed(r, KEYS)
    if 'planner' not in r: return r
    from jepa_tutorial.tools.rows import PRESETS
    budget = r['budget'] if 'preset' in r else BUDGETS.get(r['budget'], r['budget'])
    planner = PLANNERS.get(r['planner'], r['planner'])
    return dict(preset=PRESETS[budget][r['world']]) | r | dict(budget=budget, planner=planner)

def row_file(r: dict) -> str:
    "The name of the file of a row."
    from jepa_tutorial.tools.rows import Row
    return Row(**{k: r[k] for k in Row._fields if k in r}).name + '.json'

def failures(f: dict) -> dict:
    "The failed episodes that the page on failures draws."
    caught = f.get('caught')
    if not caught: return f
    return f | dict(caught=caught | dict(episodes=[renamed(e, PLANNERS) for e in caught['episodes']]))

def card(c: dict) -> dict:
    "The card of a model, with the hash of what it says now."
    c = renamed(c, KEYS)
    if 'refined' in c: c['refined'] = renamed(c['refined'], REFINED)
    said = {k: v for k, v in c.items() if k != 'fingerprint'}
    return said | dict(fingerprint=hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest())

def write(path: Path, data) -> bool:
    "Write JSON in the form that the file has, in short or with a line for each value; was there anything to change?"
    short = path.exists() and '\n' not in path.read_text(encoding='utf-8').strip()
    text = json.dumps(data, separators=(',', ':')) if short else json.dumps(data, indent=1) + '\n'
    same = path.exists() and path.read_text(encoding='utf-8') == text
    if not same: path.write_text(text, encoding='utf-8')
    return not same

def migrate(package: Path) -> int:
    "Rewrite all files below a package folder; returns how many changed."
    changed = 0
    for path in sorted(package.glob('results/*/*.json')):
        old = json.loads(path.read_text(encoding='utf-8'))
        new = [result(r) for r in old] if isinstance(old, list) else result(old)
        to = path if isinstance(new, list) else path.with_name(row_file(new))
        changed += write(to, new)
        if to != path: path.unlink()
    for path, f in [(package/'results/failures.json', failures), *((p, card) for p in sorted(package.glob('weights/*.json')))]:
        if path.exists(): changed += write(path, f(json.loads(path.read_text(encoding='utf-8'))))
    return changed

if __name__ == '__main__':
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else root/'jepa_tutorial'
    print(f'{migrate(folder)} files changed in {folder}')
