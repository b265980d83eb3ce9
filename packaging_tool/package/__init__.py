"""The neutral package model between drivers and formats."""
