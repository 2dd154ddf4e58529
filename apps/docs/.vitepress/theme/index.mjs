// The theme without its own fonts: nothing is fetched that the reader's system has.
import theme from 'vitepress/theme-without-fonts';
import './style.css';

export default theme;
