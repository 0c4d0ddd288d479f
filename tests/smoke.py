"What an installed package does from any folder, with nothing but its own requirements: import, plan a task, train two steps."
import importlib, json, pkgutil, subprocess, sys, sysconfig, tempfile
from pathlib import Path
import jepa_tutorial

def run(command, *args):
    "A command of the package; what it prints."
    done = subprocess.run([Path(sysconfig.get_path('scripts'))/command, *args], capture_output=True, text=True, cwd=folder)
    if done.returncode: sys.exit(f'{command} {" ".join(args)}\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}')
    return done.stdout

with tempfile.TemporaryDirectory() as folder:
    here = Path(jepa_tutorial.__file__).resolve().parent
    if not here.is_relative_to(Path(sys.prefix).resolve()): sys.exit(f'{here} is not the installed package')
    for m in pkgutil.walk_packages([str(here)], 'jepa_tutorial.'): importlib.import_module(m.name)
    plan = json.loads(run('jepa_plan', 'quick', '--episodes', '1', '--steps', '80', '--tasks', 'fixed_wall_validation', '--json', '--out', folder))
    if plan['results'][0]['success'] != 1: sys.exit(f'the first held-out task was not solved: {plan["results"][0]}')
    run('jepa_train', 'quick', 'optim.epochs=1', 'optim.epoch_steps=2', 'optim.batch=2', 'eval.unroll_every=0', '--out', 'run')
    print(f'{sys.executable}: imports, plans and trains')
