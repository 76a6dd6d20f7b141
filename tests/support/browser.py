"""A real browser without a window that reaches no network, and what tests ask of it."""

import base64
import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
DESKTOP, PHONE = (1280, 900), (390, 844)
OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # which root may not have
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


@contextmanager
def started() -> Iterator["Browser"]:
    """Start the browser; the tests that need it are skipped where there is none."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("chromium and chromedriver (chromium-driver) are not installed")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


class Browser:
    """One page at a time, as wide as a desktop's or a phone's screen."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, path: Path, size: tuple[int, int] = DESKTOP) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        self.driver.get("about:blank")
        for log in ("browser", "performance"):  # forget what was before
            self.driver.get_log(log)
        self.resize(size)
        self.driver.get(path.resolve().as_uri())
        WebDriverWait(self.driver, 20).until(lambda _: self.evaluate("innerWidth") == size[0])

    def resize(self, size: tuple[int, int]) -> None:
        shape = {"width": size[0], "height": size[1], "deviceScaleFactor": 1}
        shape["mobile"] = size == PHONE
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", shape)

    def evaluate(self, expression: str):
        return self.driver.execute_script(f"return {expression}")

    def picture(self) -> np.ndarray:
        """The whole page, not only what is in view."""
        shot = self.driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True}
        )
        return np.array(Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB"))

    def errors(self) -> list[str]:
        log = self.driver.get_log("browser")
        return [entry["message"] for entry in log if entry["level"] == "SEVERE"]

    def requests(self) -> set[str]:
        """Beginnings of all addresses that were asked for: `file`, `data`, ..."""
        events = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        sent = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return {params["request"]["url"].partition(":")[0] for params in sent}


def colours(picture: np.ndarray) -> int:
    """Number of different colours: one of a blank page, a few of text without a drawing."""
    return len(np.unique(picture.astype(int) @ (65536, 256, 1)))
