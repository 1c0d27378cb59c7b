"""Alerts for instants that did not run."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('scheduler', '0019_headers_limit'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='alertrule',
            name='alertrule_has_its_numbers',
        ),
        migrations.AlterField(
            model_name='alertrule',
            name='condition',
            field=models.CharField(choices=[('failure', 'a run fails'), ('in_a_row', 'so many runs in a row fail'), ('rate', 'so many per cent of the last runs fail'), ('late', 'a run starts late'), ('long', 'a run takes long'), ('not_run', 'a due instant does not run')], default='failure', max_length=16),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('condition__in', ('failure', 'not_run')), ('percent__isnull', True), ('runs__isnull', True), ('seconds__isnull', True)), models.Q(('condition', 'in_a_row'), ('percent__isnull', True), ('runs__isnull', False), ('seconds__isnull', True)), models.Q(('condition', 'rate'), ('percent__isnull', False), ('runs__isnull', False), ('seconds__isnull', True)), models.Q(('condition__in', ('late', 'long')), ('percent__isnull', True), ('runs__isnull', True), ('seconds__isnull', False)), _connector='OR'), name='alertrule_has_its_numbers'),
        ),
    ]
