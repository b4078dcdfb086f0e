"""Invented buyers.

Every mail address is at example.com, .net or .org, every phone number is a row of zeros and a count.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Read names, each followed by its spelling in letters."""
    return tuple((name, spelled) for name, spelled in (pair.split() for pair in text.split(", ")))


_SURNAMES = _pairs(
    "王 wang, 李 li, 张 zhang, 刘 liu, 陈 chen, 杨 yang, 黄 huang, 赵 zhao, 吴 wu, 周 zhou, 徐 xu, 孙 sun, 马 ma, "
    "朱 zhu, 胡 hu, 郭 guo, 何 he, 林 lin, 高 gao, 罗 luo, 郑 zheng, 梁 liang, 谢 xie, 宋 song, 唐 tang, 许 xu, "
    "韩 han, 冯 feng, 邓 deng, 曹 cao, 彭 peng, 曾 zeng, 萧 xiao, 田 tian, 董 dong, 潘 pan, 袁 yuan, 蔡 cai, "
    "蒋 jiang, 余 yu, 于 yu, 杜 du, 叶 ye, 程 cheng, 魏 wei, 苏 su, 吕 lv, 丁 ding, 沈 shen, 任 ren, 欧阳 ouyang"
)
_GIVEN = _pairs(
    "小鹿 xiaolu, 明远 mingyuan, 婉清 wanqing, 子轩 zixuan, 雨桐 yutong, 浩然 haoran, 思琪 siqi, 建国 jianguo, "
    "秀英 xiuying, 桂兰 guilan, 志强 zhiqiang, 佳怡 jiayi, 一诺 yinuo, 知夏 zhixia, 予安 yuan, 若溪 ruoxi, "
    "景行 jingxing, 沐阳 muyang, 晓东 xiaodong, 丽华 lihua, 文博 wenbo, 梦洁 mengjie, 嘉禾 jiahe, 静 jing, 磊 lei, "
    "敏 min, 洋 yang, 芳 fang, 涛 tao, 娜 na, 霞 xia, 鹏 peng, 玉兰 yulan, 海燕 haiyan, 春梅 chunmei, "
    "国庆 guoqing, 天宇 tianyu, 欣然 xinran, 书瑶 shuyao, 怀瑾 huaijin, 南星 nanxing, 青禾 qinghe, 半夏 banxia, "
    "云舒 yunshu"
)
_PLACES = (
    ("浙江省 杭州市 西湖区", "310000"),
    ("浙江省 宁波市 鄞州区", "315100"),
    ("上海 上海市 浦东新区", "200120"),
    ("上海 上海市 徐汇区", "200030"),
    ("北京 北京市 朝阳区", "100020"),
    ("北京 北京市 海淀区", "100080"),
    ("广东省 广州市 越秀区", "510030"),
    ("广东省 深圳市 南山区", "518000"),
    ("广东省 佛山市 顺德区", "528300"),
    ("江苏省 南京市 鼓楼区", "210009"),
    ("江苏省 苏州市 姑苏区", "215000"),
    ("四川省 成都市 武侯区", "610041"),
    ("湖北省 武汉市 洪山区", "430070"),
    ("湖南省 长沙市 岳麓区", "410006"),
    ("福建省 厦门市 思明区", "361001"),
    ("福建省 福州市 鼓楼区", "350001"),
    ("山东省 青岛市 市南区", "266071"),
    ("山东省 济南市 历下区", "250013"),
    ("陕西省 西安市 雁塔区", "710061"),
    ("河南省 郑州市 金水区", "450003"),
    ("安徽省 合肥市 蜀山区", "230031"),
    ("重庆 重庆市 渝中区", "400010"),
    ("天津 天津市 和平区", "300041"),
    ("辽宁省 沈阳市 沈河区", "110014"),
    ("黑龙江省 哈尔滨市 南岗区", "150006"),
    ("云南省 昆明市 五华区", "650032"),
    ("广西壮族自治区 南宁市 青秀区", "000000"),
    ("内蒙古自治区 呼和浩特市 新城区", "010010"),
    ("新疆维吾尔自治区 乌鲁木齐市 天山区", "830002"),
)
_ROADS = ("松风路", "听雨巷", "望月街", "采薇路", "青石弄", "白鹭大道", "竹溪街", "云栖路", "半山街道半山路", "桃源里")
_NICKS = (
    "爱喝茶",
    "的小厨房",
    "要早睡",
    "慢慢来",
    "在山里",
    "囤货中",
    "不加糖",
    "的猫",
    "妈妈",
    "今天做饭吗",
    "看云",
    "去旅行",
)
_DOMAINS = ("example.com", "example.net", "example.org")
_PHONE_PREFIXES = ("130", "133", "136", "137", "138", "139", "150", "158", "177", "186", "188", "199")

# Shares of all buyers.
_ONCE_ONLY = 0.45
_FAMILY_MAIL = 0.03
_MAIL_ACCOUNT = 0.65
_MASKED = 0.12


@dataclass(slots=True)
class Buyer:
    """A buyer of the demo shop. ``account`` is his payment account: a mail address or a phone, masked or not.

    ``loyalty`` says how readily he comes back: zero for those who buy once. ``leaves`` is the shop's wall clock when he
    loses interest.
    """

    number: int
    nick: str
    name: str
    account: str
    phone: str
    address: str
    loyalty: int
    leaves: datetime


def mask(phone: str) -> str:
    """Return a phone as the platform shows it once the buyer hides it."""
    return f"{phone[:3]}******{phone[-2:]}"


def make_buyer(rng: Random, number: int, joins: datetime, family: Buyer | None) -> Buyer:
    """Return an invented buyer who first buys at ``joins``. Now and then he uses the mail address of ``family``."""
    surname, spelled = rng.choice(_SURNAMES)
    given, given_spelled = rng.choice(_GIVEN)
    phone = f"{rng.choice(_PHONE_PREFIXES)}{number:08d}"
    masked = rng.random() < _MASKED
    account = mask(phone) if masked else phone
    if rng.random() < _MAIL_ACCOUNT:
        account = f"{spelled}{given_spelled}{number}@{rng.choice(_DOMAINS)}"
    if family is not None and "@" in family.account and rng.random() < _FAMILY_MAIL:
        account = family.account
    place, postcode = rng.choice(_PLACES)
    # Some buyers paste a tab into their address; the export hands it on.
    gap = "\t" if rng.random() < 0.01 else ""
    house = f"{rng.randint(1, 380)}号{rng.randint(1, 28)}幢{rng.randint(101, 1804)}室"
    return Buyer(
        number=number,
        nick=_nick(rng, number, given),
        name=surname + given,
        account=account,
        phone=mask(phone) if masked else phone,
        address=f"{place} {rng.choice(_ROADS)}{gap}{house}({postcode})",
        loyalty=_loyalty(rng),
        leaves=joins + timedelta(days=45 + rng.expovariate(1 / 300)),
    )


def _nick(rng: Random, number: int, given: str) -> str:
    style = rng.random()
    if style < 0.4:
        return f"tb{60_000_000 + number}"
    if style < 0.5:
        return f"t_{1_500_000_000 + number}_0{rng.randint(100, 999)}"
    return f"{given}{rng.choice(_NICKS)}{number}"


def _loyalty(rng: Random) -> int:
    if rng.random() < _ONCE_ONLY:
        return 0
    return min(12, round(rng.paretovariate(1.3)))
