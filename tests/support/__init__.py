"""Helpers of tests: servers, disks, real media, values, exported networks."""
