"Export and clean the notebooks; fail if that changes, adds or removes a file."
import hashlib, subprocess, sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent
bin = Path(sys.executable).parent

def snapshot():
    files = [*root.glob('jepa_tutorial/**/*.py'), *root.glob('nbs/**/*.ipynb')]
    return {f.relative_to(root): hashlib.sha256(f.read_bytes()).hexdigest() for f in files
            if '.ipynb_checkpoints' not in f.parts}

before = snapshot()
for command in ('nbdev_export', 'nbdev_clean'): subprocess.run([bin/command], cwd=root, check=True)
after = snapshot()
changed = sorted(str(f) for f in before.keys() | after.keys() if before.get(f) != after.get(f))
if changed: sys.exit('nbdev_export and nbdev_clean changed:\n  ' + '\n  '.join(changed) + '\nCommit what they wrote.')
print(f'{len(after)} files as they were')
