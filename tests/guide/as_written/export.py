"""The guide's nginx file and Kubernetes manifest, as they stand there.

Guide: chapter 3, "Nginx 로드 밸런싱 설정" and "AWS 로드 밸런싱". Only comments
are left out; the places of the nine addresses are numbered, since tests run them on other ports.
"""

NGINX_UPSTREAM = """
upstream backend {{
    server {0};
    server {1};

    server {2} weight=3;
    server {3} weight=1;

    least_conn;
    server {4};
    server {5};

    ip_hash;
    server {6};
    server {7};

    server {8} max_fails=3 fail_timeout=30s;
}}
"""

NGINX_SERVER = """
server {
    listen 80;
    server_name api.example.com;

    location / {
        proxy_pass http://backend;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;

        proxy_connect_timeout 5s;
        proxy_send_timeout 10s;
        proxy_read_timeout 10s;
    }
}
"""

TITLE = "Application Load Balancer (ALB)"

MANIFEST = """
apiVersion: v1
kind: Service
metadata:
  name: nodejs-app-service
  annotations:
    service.beta.kubernetes.io/aws-load-balancer-type: "nlb"
spec:
  type: LoadBalancer
  ports:
  - port: 80
    targetPort: 3000
    protocol: TCP
  selector:
    app: nodejs-app
"""


def nginx_file(servers: list[str]) -> str:
    """Return the guide's file with the addresses of nine servers."""
    return NGINX_UPSTREAM.format(*servers) + NGINX_SERVER
