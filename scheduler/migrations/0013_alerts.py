"""Alerts: channels, rules, incidents, deliveries, ping URLs."""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import scheduler.models.secret_field
from django.db import migrations, models


# Jobs are deleted by a statement of their own, so the database takes along what hangs on them.
_REFERENCES = (
    ("alertrule", "job_id", "scheduler_job (id)"),
    ("alertrule_channels", "alertrule_id", "scheduler_alertrule (id)"),
    ("alertrule_channels", "channel_id", "scheduler_channel (id)"),
    ("incident", "rule_id", "scheduler_alertrule (id)"),
    ("incident", "job_id", "scheduler_job (id)"),
    ("ping", "job_id", "scheduler_job (id)"),
    ("delivery", "channel_id", "scheduler_channel (id)"),
    ("delivery", "incident_id", "scheduler_incident (id)"),
    ("delivery", "ping_id", "scheduler_ping (job_id)"),
)


def _add(table: str, column: str, target: str) -> migrations.RunSQL:
    name = f"{table}_{column}_cascades"
    return migrations.RunSQL(
        f"ALTER TABLE scheduler_{table} ADD CONSTRAINT {name} FOREIGN KEY ({column}) REFERENCES {target}"
        " ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED",
        f"ALTER TABLE scheduler_{table} DROP CONSTRAINT {name}",
    )


class Migration(migrations.Migration):

    dependencies = [
        ('scheduler', '0012_metric'),
    ]

    operations = [
        migrations.CreateModel(
            name='Channel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, unique=True)),
                ('url', scheduler.models.secret_field.SecretField(help_text='Encrypted; shown without its secrets.')),
                ('enabled', models.BooleanField(default=True, help_text='Off: nothing is sent to it.')),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'ordering': ['name'],
                'permissions': [('test_channel', 'Can send a test message to a channel')],
            },
        ),
        migrations.CreateModel(
            name='Ping',
            fields=[
                ('job', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='ping', serialize=False, to='scheduler.job')),
                ('url', scheduler.models.secret_field.SecretField(help_text='Encrypted; who knows it can pretend that the job is well.')),
                ('tell_failure', models.BooleanField(default=False, help_text='Call the URL with /fail after it when a run fails.')),
                ('last_at', models.DateTimeField(editable=False, help_text='When it was called last.', null=True)),
                ('last_problem', models.CharField(default='', editable=False, help_text='Why it could not be.', max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name='AlertRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(blank=True, default='', help_text='A default for the jobs of this kind alone; empty: any kind.', max_length=32)),
                ('condition', models.CharField(choices=[('failure', 'a run fails'), ('in_a_row', 'so many runs in a row fail'), ('rate', 'so many per cent of the last runs fail'), ('late', 'a run starts late'), ('long', 'a run takes long')], default='failure', max_length=16)),
                ('runs', models.PositiveSmallIntegerField(blank=True, help_text='How many runs in a row, or how many of the last runs to look at.', null=True, validators=[django.core.validators.MinValueValidator(2), django.core.validators.MaxValueValidator(1000)])),
                ('percent', models.PositiveSmallIntegerField(blank=True, help_text='The failure rate from which to tell.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)])),
                ('seconds', models.PositiveIntegerField(blank=True, help_text='How late, or how long.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(2678400)])),
                ('tell_recovery', models.BooleanField(default=True, help_text='Tell also when all is well again.')),
                ('enabled', models.BooleanField(default=True)),
                ('snoozed_until', models.DateTimeField(blank=True, help_text='Incidents are recorded, and told when this has passed and they still last.', null=True)),
                ('job', models.ForeignKey(blank=True, db_constraint=False, help_text='Empty: a default for all jobs.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='alert_rules', to='scheduler.job')),
                ('channels', models.ManyToManyField(db_constraint=False, related_name='rules', to='scheduler.channel')),
            ],
            options={
                'ordering': ['job_id', 'kind', 'condition', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Incident',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('opened_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('last_seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='When it was found to last, last.')),
                ('closed_at', models.DateTimeField(null=True)),
                ('times', models.PositiveIntegerField(default=1, help_text='How many runs have met the condition.')),
                ('execution_id', models.BigIntegerField(help_text='The run that met the condition last.')),
                ('number', models.BigIntegerField(help_text='Its number.', null=True)),
                ('summary', models.TextField(help_text='What was wrong when it opened.')),
                ('told_at', models.DateTimeField(help_text='When the alert was handed over for sending.', null=True)),
                ('tell_at', models.DateTimeField(help_text='When to tell (again) if it still lasts.', null=True)),
                ('checked_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='When it was looked at for recovery.')),
                ('job', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='incidents', to='scheduler.job')),
                ('rule', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='incidents', to='scheduler.alertrule')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('purpose', models.CharField(choices=[('alert', 'alert'), ('recovery', 'recovery'), ('test', 'test message'), ('ping', 'ping')], max_length=8)),
                ('title', models.CharField(max_length=250)),
                ('body', models.TextField()),
                ('failed_run', models.BooleanField(default=False, help_text='A ping tells of a failure.')),
                ('state', models.PositiveSmallIntegerField(choices=[(0, 'waiting'), (1, 'sent'), (2, 'failed')], default=0)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('due_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('problem', models.CharField(default='', max_length=500)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('ended_at', models.DateTimeField(null=True)),
                ('channel', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='scheduler.channel')),
                ('incident', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='scheduler.incident')),
                ('ping', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='scheduler.ping')),
            ],
            options={
                'verbose_name_plural': 'deliveries',
                'ordering': ['-id'],
            },
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(('job__isnull', True), ('kind', ''), _connector='OR'), name='alertrule_job_or_kind'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('condition', 'failure'), ('percent__isnull', True), ('runs__isnull', True), ('seconds__isnull', True)), models.Q(('condition', 'in_a_row'), ('percent__isnull', True), ('runs__isnull', False), ('seconds__isnull', True)), models.Q(('condition', 'rate'), ('percent__isnull', False), ('runs__isnull', False), ('seconds__isnull', True)), models.Q(('condition__in', ('late', 'long')), ('percent__isnull', True), ('runs__isnull', True), ('seconds__isnull', False)), _connector='OR'), name='alertrule_has_its_numbers'),
        ),
        migrations.AddConstraint(
            model_name='alertrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('runs__isnull', True), models.Q(('runs__gte', 2), ('runs__lte', 1000)), _connector='OR'), models.Q(('percent__isnull', True), models.Q(('percent__gte', 1), ('percent__lte', 100)), _connector='OR'), models.Q(('seconds__isnull', True), ('seconds__gte', 1), _connector='OR')), name='alertrule_numbers_make_sense'),
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(condition=models.Q(('closed_at__isnull', True)), fields=['checked_at'], name='incident_open'),
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(condition=models.Q(('closed_at__isnull', True), ('tell_at__isnull', False)), fields=['tell_at'], name='incident_tell'),
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(condition=models.Q(('closed_at__isnull', False)), fields=['closed_at'], name='incident_closed'),
        ),
        migrations.AddConstraint(
            model_name='incident',
            constraint=models.UniqueConstraint(condition=models.Q(('closed_at__isnull', True)), fields=('rule', 'job'), name='incident_one_open'),
        ),
        migrations.AddConstraint(
            model_name='incident',
            constraint=models.CheckConstraint(condition=models.Q(('closed_at__isnull', True), ('closed_at__gte', models.F('opened_at')), _connector='OR'), name='incident_ends_after_start'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('state', 0)), fields=['due_at'], name='delivery_due'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('state__gt', 0)), fields=['ended_at'], name='delivery_ended'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('channel__isnull', True), ('ping__isnull', False), ('purpose', 'ping')), models.Q(models.Q(('purpose', 'ping'), _negated=True), ('channel__isnull', False), ('ping__isnull', True)), _connector='OR'), name='delivery_has_one_goal'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('state', 0)), models.Q(('ended_at__isnull', False), ('state__gt', 0)), _connector='OR'), name='delivery_ended_has_end'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(condition=models.Q(('ping__isnull', False), ('state', 0)), fields=('ping',), name='delivery_one_ping_waits'),
        ),
        *(_add(*reference) for reference in _REFERENCES),
    ]
