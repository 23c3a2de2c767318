"""Pages of projects, and the SDKs."""

from django.urls import path, register_converter

from projects import sdk
from projects.pages import dashboard, docs, keys, project


class ProjectIdConverter:
    regex = "[a-z2-7]{12}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(ProjectIdConverter, "project")

urlpatterns = [
    path("docs", docs.show, name="docs"),
    path("ctx", dashboard.show, name="dashboard"),
    path("ctx/workspaces/<int:workspace_id>/projects", dashboard.new_project, name="new_project"),
    path("ctx/projects/<project:project_id>", project.show, name="project"),
    path("ctx/projects/<project:project_id>/settings", project.change_settings, name="project_settings"),
    path("ctx/projects/<project:project_id>/delete", project.delete, name="delete_project"),
    path("ctx/projects/<project:project_id>/password/reveal", project.reveal_password, name="reveal_password"),
    path(
        "ctx/projects/<project:project_id>/password/regenerate", project.regenerate_password, name="regenerate_password"
    ),
    path("ctx/projects/<project:project_id>/keys", keys.show, name="keys"),
    path("ctx/projects/<project:project_id>/keys/<int:key_id>/reveal", keys.reveal_key, name="reveal_key"),
    path("ctx/projects/<project:project_id>/keys/<int:key_id>/revoke", keys.revoke, name="revoke_key"),
    path("sdk/gluer-js.umd.js", sdk.serve_script, name="sdk"),
    path("sdk/gluer-js.tgz", sdk.serve_package, {"name": "gluer-js"}, name="gluer-js"),
    path("sdk/gluer-nodejs.tgz", sdk.serve_package, {"name": "gluer-nodejs"}, name="gluer-nodejs"),
]
