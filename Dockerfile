# The service on a CPU, with the bundled model: docker build -t feedseg . && docker run -p 127.0.0.1:8000:8000 feedseg
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN python -m venv /opt/feedseg \
 && /opt/feedseg/bin/pip install --no-cache-dir torch --index-url https://download.pytorch.org/whl/cpu \
 && /opt/feedseg/bin/pip install --no-cache-dir ".[serve]"

FROM python:3.12-slim
RUN useradd --create-home --uid 1000 feedseg
COPY --from=build /opt/feedseg /opt/feedseg
USER feedseg
ENV PATH=/opt/feedseg/bin:$PATH PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["feedseg", "serve", "--address", "0.0.0.0"]
