# Everything inside: Redis, gaptrace proxy before it, and the chat server on the proxy (TypeScript, or Django under daphne or uvicorn).
#
#   make docker_build
#   make docker_run                              ws://127.0.0.1:8000/ws/chat/<room>/
#   make docker_run SERVER=daphne LATENCY=2ms    the Python original, the race widened
#   docker exec gaptrace node dist/cli.js audit /data/gaptrace.db
#
# NOT BUILT YET BY ITS AUTHORS: the machine on which it was written has no Docker engine. Its RUN and CMD steps are the scripts that `make test`
# and e2e/all-in-one.test.ts run on Debian 12 with Node 20; the image below is that system.
FROM node:20-bookworm

WORKDIR /gaptrace
COPY package.json package-lock.json ./
COPY scripts scripts
RUN scripts/debian-packages.sh container && scripts/npm-packages.sh && rm -rf /var/lib/apt/lists/*
COPY . .
RUN scripts/build.sh && install -d -o node -g node /data

USER node
VOLUME /data
ENV HOST=0.0.0.0 PORT=8000 TRACE=/data/gaptrace.db
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s CMD ["node", "-e", "require('node:net').connect(8000, '127.0.0.1').on('connect', () => process.exit(0)).on('error', () => process.exit(1))"]
STOPSIGNAL SIGTERM
CMD ["scripts/all-in-one.sh"]
