# HAProxy, one thread, with keep-alive on both sides.
port=$((20000 + ($$ + 7) % 20000))
cat > "$BENCH_FOLDER/haproxy.cfg" <<END
global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend f
  bind 127.0.0.1:$port
  default_backend vendor
backend vendor
  http-request set-header Authorization "Basic b3JnOmtleQ=="
  http-reuse always
  server v $BENCH_UPSTREAM
END
echo "listens http://127.0.0.1:$port"
exec haproxy -db -f "$BENCH_FOLDER/haproxy.cfg"
