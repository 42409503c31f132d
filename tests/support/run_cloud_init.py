# mypy: ignore-errors
"""Run by a Python that has cloud-init: what it does with user data. Reads a folder of files, prints JSON.

For each file the parts that cloud-init finds in it, in order, and the files that its handlers write; boot
hooks are run. Nothing outside the folder is touched.
"""

import base64
import json
import os
import sys
from pathlib import Path

from cloudinit import handlers, helpers, user_data
from cloudinit.handlers.boot_hook import BootHookPartHandler
from cloudinit.handlers.cloud_config import CloudConfigPartHandler
from cloudinit.handlers.jinja_template import JinjaTemplatePartHandler
from cloudinit.handlers.shell_script import ShellScriptPartHandler
from cloudinit.settings import PER_INSTANCE

KEPT = ("Merge-Type", "X-Merge-Type", "Launch-Index")


class Source:
    def get_instance_id(self):
        return "i-0123456789abcdef0"


def run(content, home):
    for folder in ("instance/scripts", "instance/handlers", "instance/boothooks", "run"):
        (home / folder).mkdir(parents=True)
    (home / "run" / "instance-data-sensitive.json").write_text('{"v1": {"region": "here"}}')
    (home / "run" / "instance-data.json").write_text('{"v1": {"region": "here"}}')
    source = Source()
    paths = helpers.Paths({"cloud_dir": str(home), "run_dir": str(home / "run")}, source)
    paths.get_ipath = lambda name=None: str(home / "instance" / paths.lookups.get(name, ""))
    paths.get_ipath_cur = paths.get_ipath
    message = user_data.UserDataProcessor(paths).process(content)
    shared = {"paths": paths, "datasource": source}
    known = [CloudConfigPartHandler(**shared), ShellScriptPartHandler(**shared)]
    known += [BootHookPartHandler(**shared), JinjaTemplatePartHandler(sub_handlers=list(known), **shared)]
    registered = helpers.ContentHandlers()
    for handler in known:
        registered.register(handler)
    folder = str(home / "instance" / "handlers")
    sys.path.insert(0, folder)
    data = {"handlers": registered, "handlerdir": folder, "data": None, "frequency": PER_INSTANCE}
    data |= {"handlercount": 0, "excluded": []}
    parts = []

    def each(data, name, payload, headers):
        text = payload if isinstance(payload, bytes) else payload.encode("utf-8", "surrogateescape")
        kept = {
            key: value
            for key, value in headers.items()
            if key in ("Merge-Type", "X-Merge-Type", "Launch-Index")
        }
        parts.append([headers["Content-Type"], name, base64.b64encode(text).decode(), kept])
        handlers.walker_callback(data, name, payload, headers)

    os.environ["HOME_OF_TEST"] = str(home)
    for handler in known:
        handlers.call_begin(handler, None, PER_INSTANCE)
    handlers.walk(message, each, data=data)
    for handler in known:
        handlers.call_end(handler, None, PER_INSTANCE)
    sys.path.remove(folder)
    sys.modules.pop("part-handler-000", None)
    written = {
        str(path.relative_to(home)): base64.b64encode(path.read_bytes()).decode()
        for path in sorted(home.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and "urlcache" not in path.parts
    }
    return {"parts": parts, "written": written}


folder = Path(sys.argv[1])
found = {path.name: run(path.read_bytes(), folder / f"{path.name}.d") for path in sorted(folder.glob("*.in"))}
sys.stdout.write(json.dumps(found))
