"""Units of schedulers that start ``pagebeam run`` at set times: systemd, cron, Airflow, Kubernetes."""
