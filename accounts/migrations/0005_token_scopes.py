from datetime import timedelta

from django.db import migrations, models
from django.db.models import Q
from django.utils import timezone

import accounts.models


def bound_expiry(apps, schema_editor):
    """Tokens that were valid for longer, or for ever, have a year from now."""
    latest = timezone.now() + timedelta(days=365)
    tokens = apps.get_model("accounts", "AccessToken").objects.filter(Q(expires_at=None) | Q(expires_at__gt=latest))
    tokens.update(expires_at=latest)


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_visible_names'),
    ]

    operations = [
        migrations.RunPython(bound_expiry, migrations.RunPython.noop),
        migrations.AddField(
            model_name='accesstoken',
            name='scope',
            field=models.CharField(choices=[('read', 'Read only'), ('write', 'Read and write')], default='write', max_length=10),
        ),
        migrations.AlterField(
            model_name='accesstoken',
            name='expires_at',
            field=models.DateTimeField(default=accounts.models.token_expiry),
        ),
    ]
