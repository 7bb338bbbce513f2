-- What existing SQL of the platform expects (generated columns, functions) is on PostgreSQL only. Number and name keep step with it.
SELECT 1;
