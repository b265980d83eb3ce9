untrusted comment: test key, known to all the world
RWQAAAAAAAAAAL8Mu7xTi/BMGtOWkIi4tqUQ+QBx7UrO8Amc9whurtgDqIGq9tZuKy1URzElx4djO/HWB1WyShxNamyzUgK2Wg4=
