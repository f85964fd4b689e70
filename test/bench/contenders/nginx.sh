# nginx, one process, with keep-alive on both sides and an access log.
port=$((20000 + $$ % 20000))
cat > "$BENCH_FOLDER/nginx.conf" <<END
daemon off; master_process off; pid $BENCH_FOLDER/nginx.pid; error_log $BENCH_FOLDER/nginx-error.log;
events { worker_connections 1024; }
http {
  access_log $BENCH_FOLDER/nginx-access.log;
  client_body_temp_path $BENCH_FOLDER/nginx-body; proxy_temp_path $BENCH_FOLDER/nginx-proxy;
  fastcgi_temp_path $BENCH_FOLDER/nginx-f; uwsgi_temp_path $BENCH_FOLDER/nginx-u; scgi_temp_path $BENCH_FOLDER/nginx-s;
  upstream vendor { server $BENCH_UPSTREAM; keepalive 64; }
  server {
    listen 127.0.0.1:$port; keepalive_requests 100000000;
    location / {
      proxy_pass http://vendor; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Authorization "Basic b3JnOmtleQ==";
    }
  }
}
END
echo "listens http://127.0.0.1:$port"
exec nginx -c "$BENCH_FOLDER/nginx.conf" -p "$BENCH_FOLDER"
