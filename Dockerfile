# The build, which has all that it needs but Node. What only development and tests need is not even installed.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev
COPY tsconfig.json build.ts ./
COPY src ./src
# The commit, which an image cannot find out: docker build --build-arg REVISION=$(git rev-parse --short=12 HEAD)
ARG REVISION=unknown
RUN node build.ts --revision "$REVISION"

FROM node:24-bookworm-slim
# The first process of a container ignores each signal that it has not asked for yet: this one hands them on from the first moment.
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 DATABASE_URL=sqlite:/data/livegate.db LIVEGATE_METRICS_HOST=0.0.0.0
WORKDIR /app
COPY --from=build /app/dist ./
RUN ln -s /app/livegate /usr/local/bin/livegate
# The one writable place: everything else may be mounted read-only. Of group 0, which any uid has that an orchestrator makes up.
RUN mkdir /data && chown node:0 /data && chmod 770 /data
# Compiles once what each start would compile, for the user that it usually has: Node keeps the results of each uid apart.
RUN mkdir compiled && chown node compiled
USER 1000:0
RUN livegate openapi > /dev/null
USER root
RUN chown -R root:0 compiled && chmod -R a+rX,go-w compiled
# By number, so that an orchestrator can see that it is not root.
USER 1000:0
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["bash", "/app/healthcheck.sh"]
ARG REVISION=unknown
LABEL org.opencontainers.image.title=livegate org.opencontainers.image.version=0.1.0 org.opencontainers.image.revision=$REVISION
# A shell script that becomes Node, so that the process gets the signals. It has the flags of Node.
ENTRYPOINT ["tini", "-s", "--", "livegate"]
CMD ["serve"]
