# The dependencies, without what only development and tests need; the image brings its own Node.
FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional

FROM node:24-bookworm-slim
# The first process of a container ignores each signal that it has not asked for yet: this one hands them on from the first moment.
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
# Two places to take memory from instead of eight for each core: some 20 MB less, which a gateway does not miss (docs/container.md).
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 DATABASE_URL=sqlite:/data/livegate.db MALLOC_ARENA_MAX=2
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY src ./src
# The one writable place: everything else may be mounted read-only. Of group 0, which any uid has that an orchestrator makes up.
RUN mkdir /data && chown node:0 /data && chmod 770 /data
# By number, so that an orchestrator can see that it is not root.
USER 1000:0
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["bash", "src/healthcheck.sh"]
# Called without npm, so that the process gets the signals. The heap is kept to a part of what the container may have: V8 would let it
# grow to 260 MB in any.
ENTRYPOINT ["tini", "-s", "--", "node", "--max-old-space-size-percentage=40", "src/cli.ts"]
CMD ["serve"]
