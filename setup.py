"The package as settings.ini describes it."
from configparser import ConfigParser
from pathlib import Path
from packaging.requirements import Requirement
from packaging.version import Version
from setuptools import find_packages, setup

here = Path(__file__).resolve().parent
config = ConfigParser(delimiters=['='])
config.read(here/'settings.ini', encoding='utf-8')
cfg = config['DEFAULT']

def requirements(key): return [str(Requirement(r)) for r in cfg.get(key, '').split()]

extras = {k.removesuffix('_requirements'): requirements(k) for k in cfg if k.endswith('_requirements')}
pythons = [v for v in ('3.11', '3.12', '3.13', '3.14') if Version(v) >= Version(cfg['min_python'])]
statuses = ['1 - Planning', '2 - Pre-Alpha', '3 - Alpha', '4 - Beta', '5 - Production/Stable', '6 - Mature', '7 - Inactive']
readme = here/'README.md'

setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    long_description=readme.read_text(encoding='utf-8') if readme.exists() else cfg['description'],
    long_description_content_type='text/markdown',
    author=cfg['author'],
    author_email=cfg['author_email'],
    license={'apache2': 'Apache-2.0'}[cfg['license']],
    keywords=cfg['keywords'].split(),
    url=cfg['git_url'],
    project_urls={'Documentation': cfg['doc_host'] + cfg['doc_baseurl'] + '/'},
    classifiers=[
        f"Development Status :: {statuses[int(cfg['status']) - 1]}",
        f"Intended Audience :: {cfg['audience']}",
        f"Natural Language :: {cfg['language']}",
        *(f'Programming Language :: Python :: {v}' for v in pythons)],
    packages=find_packages(include=[cfg['lib_path'], f"{cfg['lib_path']}.*"]),
    package_data={cfg['lib_path']: cfg['package_data'].split()},
    include_package_data=False,
    python_requires=f">={cfg['min_python']}",
    install_requires=requirements('requirements'),
    extras_require=extras,
    entry_points={'console_scripts': cfg['console_scripts'].split(),
                  'nbdev': [f"{cfg['lib_name']}={cfg['lib_path']}._modidx:d"]},
    zip_safe=False,
)
