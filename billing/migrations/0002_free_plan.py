from django.db import migrations


def make_free_plan(apps, schema_editor):
    plans = apps.get_model("billing", "Plan").objects
    plans.get_or_create(slug="free", defaults={"name": "Free", "requests_per_month": 1_000_000})


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]
    operations = [migrations.RunPython(make_free_plan, migrations.RunPython.noop)]
