"""Every path of the API, in the order in which they are tried."""

from sampan.faces.dockerapi import (
    absent_commands,
    build_commands,
    container_files,
    container_life,
    container_reading,
    container_streams,
    disk_usage,
    event_stream,
    exec_commands,
    image_commands,
    image_transfer,
    network_commands,
    system_commands,
    volume_commands,
)
from sampan.faces.dockerapi.buildkit import commands

ROUTES = (
    *system_commands.ROUTES,
    *container_reading.ROUTES,
    *container_life.ROUTES,
    *container_streams.ROUTES,
    *container_files.ROUTES,
    *exec_commands.ROUTES,
    *image_transfer.ROUTES,
    *image_commands.ROUTES,
    *build_commands.ROUTES,
    *commands.ROUTES,
    *network_commands.ROUTES,
    *volume_commands.ROUTES,
    *event_stream.ROUTES,
    *disk_usage.ROUTES,
    *absent_commands.ROUTES,
)
