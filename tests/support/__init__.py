"""Test helpers: servers, disks, real media, stored values, models with snapshots."""
