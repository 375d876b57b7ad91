"""nbdev's export, also for notebooks that write several modules: ``python -m ftcourse.export [NOTEBOOK]``.

nbdev makes the module of ``#| default_exp`` anew, and appends the cells that name another module, as in
``#| export jobs``, to a file that is there already. Here a notebook makes every module that it names anew.
"""

import sys
from functools import partial


def export(path=None):
    """Write the modules of a notebook, or of all notebooks.

    Args:
        path: of the notebook; by default all.
    """
    from nbdev import doclinks
    from nbdev.export import nb_export
    from nbdev.maker import ModuleMaker

    class NewModule(ModuleMaker):
        def __init__(self, *args, is_new, **options):
            super().__init__(*args, is_new=True, **options)

    doclinks.nb_export = partial(nb_export, mod_maker=NewModule)
    doclinks.nbdev_export(path=path)


if __name__ == "__main__":
    export(*sys.argv[1:])
