"""Writes gitops/argocd/argocd-cm.yaml, the patch for Argo CD's ConfigMap, from the Lua files beside it.

`tests/gitops.rs` notices when it is stale.
"""

import pathlib

FOLDER = pathlib.Path(__file__).parent.parent / "gitops" / "argocd"
HEAD = """\
# The health checks and actions of onetimeshare for Argo CD: a patch for its ConfigMap. docs/gitops.md says how to apply it.
# Made from the Lua files in this folder by `make argocd-cm`.
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: argocd
  labels:
    app.kubernetes.io/name: argocd-cm
    app.kubernetes.io/part-of: argocd
data:
"""


def block(key: str, text: str) -> str:
    lines = ("  " + line if line else "" for line in text.splitlines())
    return f"{key}: |\n" + "".join(f"{line}\n" for line in lines)


def actions(kind: pathlib.Path) -> str:
    text = block("discovery.lua", (kind / "actions" / "discovery.lua").read_text())
    text += "definitions:\n"
    for script in sorted(kind.glob("actions/*/action.lua")):
        definition = f"name: {script.parent.name}\n" + block("action.lua", script.read_text())
        first, *rest = definition.splitlines()
        text += f"- {first}\n" + "".join(f"  {line}\n" if line else "\n" for line in rest)
    return text


def main() -> None:
    text = HEAD
    for script in sorted(FOLDER.glob("*/*/health.lua")):
        kind = script.parent
        name = f"{kind.parent.name}_{kind.name}"
        entries = block(f"resource.customizations.health.{name}", script.read_text())
        if (kind / "actions").is_dir():
            entries += block(f"resource.customizations.actions.{name}", actions(kind))
        text += "".join(f"  {line}\n" if line else "\n" for line in entries.splitlines())
    (FOLDER / "argocd-cm.yaml").write_text(text)


main()
