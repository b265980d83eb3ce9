untrusted comment: test key, known to all the world
RWQ7ZbJpCRT3978Mu7xTi/BMGtOWkIi4tqUQ+QBx7UrO8Amc9whurtgDqIGq9tZuKy1URzElx4djO/HWB1WyShxNamyzUgK2Wh4=
