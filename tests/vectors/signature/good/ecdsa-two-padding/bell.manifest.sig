untrusted comment: verify with the key
RUNYeVWTesJMnjBGAiEA0r9bWWkjDdSp/fl6vdz5tHTXZt2XQlVFIb+/6xm09MwCIQDiplDYXk/Qy/2imksEK7vR+DCRzfhPAkTRL9wU1+r2MQ==
